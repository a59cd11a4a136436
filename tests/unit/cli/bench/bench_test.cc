// resnetctl bench.
#include <chrono>
#include <cstdint>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/cli_fake_server.h"

namespace resnetd::cli {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

int64_t Calls(const nlohmann::json& report, const std::string& code) {
  int64_t calls = 0;
  for (const char* part : {"calls", "warmup_calls"}) calls += report[part].value(code, 0);
  return calls;
}

TEST_F(CommandsTest, ClosedLoopBenchKeepsItsCallsUnderWayAndCountsEveryOne) {
  inference_.set_delay(std::chrono::milliseconds(5));
  EXPECT_EQ(Ctl({"bench", "--json", "--concurrency=3", "--images-per-request=2", "--warmup=0.1", "--duration=0.4"}), 0)
      << err();
  const nlohmann::json report = Json();
  EXPECT_EQ(inference_.most_calls_at_once(), 3);
  EXPECT_EQ(Calls(report, "OK"), static_cast<int64_t>(inference_.request_sizes().size()));
  EXPECT_THAT(inference_.request_sizes(), Each(2));
  EXPECT_EQ(report["closed_loop_clients"], 3);
  EXPECT_EQ(report["preflight_calls"]["GetModel"], 4);
  EXPECT_EQ(report["batch_size"]["mean"], 2.0);
  EXPECT_EQ(report["images"]["ok"], 2 * report["calls"]["OK"].get<int>());
  EXPECT_GE(report["latency_seconds"]["p50"], 0.005);
  EXPECT_GT(report["client_cpu_seconds"], 0.0);
}

// Constant arrivals at 100/s over 0.1 s + 0.4 s: due at 0.01, 0.02, ... below 0.5.
TEST_F(CommandsTest, OpenLoopBenchSendsWhatIsDueHoweverSlowTheServer) {
  inference_.set_delay(std::chrono::milliseconds(100));
  EXPECT_EQ(Ctl({"bench", "--json", "--rate=100", "--arrivals=constant", "--warmup=0.1", "--duration=0.4"}), 0)
      << err();
  const nlohmann::json report = Json();
  EXPECT_NEAR(Calls(report, "OK"), 49, 1);  // the sum of ten gaps may end on either side of a border
  EXPECT_EQ(Calls(report, "OK"), static_cast<int64_t>(inference_.request_sizes().size()));
  EXPECT_GT(inference_.most_calls_at_once(), 3);
  EXPECT_GE(report["latency_seconds"]["p50"], 0.1);
}

TEST_F(CommandsTest, BenchTensorsHaveTheModelsSize) {
  EXPECT_EQ(Ctl({"bench", "--concurrency=1", "--inputs=3", "--warmup=0", "--duration=0.1"}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("classify, closed loop, 1 clients, u8 tensors, 1 a request"));
  ASSERT_FALSE(inference_.tensors().empty());
  const v1::Tensor u8 = inference_.tensors().back();
  EXPECT_EQ(u8.type(), v1::Tensor::UINT8);
  EXPECT_THAT(u8.shape(), ElementsAre(2, 3, 1));
  EXPECT_EQ(u8.data().size(), 6u);
  EXPECT_EQ(Ctl({"bench", "--method=embed", "--tensor=f32", "--concurrency=1", "--warmup=0", "--duration=0.1"}), 0)
      << err();
  const v1::Tensor f32 = inference_.tensors().back();
  EXPECT_EQ(f32.type(), v1::Tensor::FLOAT32);
  EXPECT_THAT(f32.shape(), ElementsAre(1, 2, 3));
  EXPECT_EQ(f32.data().size(), 24u);
}

TEST_F(CommandsTest, BenchCountsFailuresByCode) {
  const std::string bad = File("bad.png", "bad");
  EXPECT_EQ(Ctl({"bench", "--json", "--image", bad, "--concurrency=1", "--warmup=0", "--duration=0.1"}), 1);
  const nlohmann::json failed = Json();
  EXPECT_EQ(Calls(failed, "INVALID_ARGUMENT"), static_cast<int64_t>(inference_.request_sizes().size()));
  EXPECT_EQ(failed["images"]["failed"], failed["calls"]["INVALID_ARGUMENT"]);
  EXPECT_FALSE(failed.contains("latency_seconds"));

  // In a request of two the good one is answered.
  EXPECT_EQ(Ctl({"bench", "--json", "--image", bad, File("ok.png", "ok 1"), "--images-per-request=2", "--concurrency=1",
                 "--warmup=0", "--duration=0.1"}),
            0);
  const nlohmann::json mixed = Json();
  EXPECT_EQ(mixed["images"]["failed"], mixed["images"]["ok"]);
  EXPECT_EQ(mixed["images"]["ok"], mixed["calls"]["OK"]);
}

TEST_F(CommandsTest, BenchSaysWhichModelIsMissing) {
  EXPECT_EQ(Ctl({"bench", "--model=other", "--concurrency=1"}), 1);
  EXPECT_THAT(err(), HasSubstr("NOT_FOUND: no such model"));
}

}  // namespace
}  // namespace resnetd::cli
