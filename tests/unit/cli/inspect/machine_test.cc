// Whether a machine was busy, by what its kernel counts.
#include "cli/inspect/machine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace resnetd::cli {
namespace {

TEST(CpuModelTest, IsRead) {
  EXPECT_EQ(CpuModel("processor\t: 0\nmodel\t\t: 85\nmodel name\t: Intel(R)  Xeon(R) CPU @ 2.70GHz \nflags : fpu\n"),
            "Intel(R) Xeon(R) CPU @ 2.70GHz");
  EXPECT_EQ(CpuModel(""), "unknown CPU");
  EXPECT_EQ(CpuModel("model name\nmodel name\t:\n"), "unknown CPU");
}

TEST(DisturbanceTest, TheKernelsTextsAreRead) {
  EXPECT_EQ(WaitedOf("123456 789 12\n"), 789);
  EXPECT_EQ(WaitedOf(""), std::nullopt);
  EXPECT_EQ(WaitedOf("1 x 2"), std::nullopt);
  const auto ticks = CpuTicksOf("cpu  10 20 30 40 5 6 7 8 99 99\ncpu0 1 2 3 4 5 6 7 8 0 0\n");
  ASSERT_TRUE(ticks.has_value());
  EXPECT_EQ(ticks->stolen, 8);
  EXPECT_EQ(ticks->all, 126);
  EXPECT_FALSE(CpuTicksOf("").has_value());
  EXPECT_FALSE(CpuTicksOf("cpu 1 2 3 4\n").has_value());
  EXPECT_FALSE(CpuTicksOf("intr 1 2 3 4 5 6 7 8\n").has_value());
}

TEST(DisturbanceTest, BusyIsWhatMakesTimesLonger) {
  EXPECT_EQ(BusyText({.waited = 0.01, .stolen = 0.01, .below_best = 0.1}), "");
  EXPECT_FALSE(Disturbance{}.busy()) << "unknown is not busy";
  const Disturbance all{.waited = 0.12, .stolen = 0.031, .below_best = 0.2};
  EXPECT_TRUE(all.busy());
  EXPECT_EQ(BusyText(all),
            "the machine was busy: its threads waited for a core 12.0 % of the time, its host took 3.1 %, its peak was "
            "mostly 20.0 % below its best");
  EXPECT_TRUE((Disturbance{.waited = 0.03}.busy()));
  EXPECT_TRUE((Disturbance{.stolen = 0.03}.busy()));
}

TEST(DisturbanceTest, ThePeaksMedianIsComparedWithItsBest) {
  EXPECT_EQ(BelowBest({}), 0);
  EXPECT_EQ(BelowBest({5}), 0);
  EXPECT_DOUBLE_EQ(BelowBest({100, 75, 50}), 0.25);
}

// More threads than cores have to wait for each other, however fast the machine is.
TEST(DisturbanceTest, CrowdedThreadsAreSeenWaiting) {
  const DisturbanceMeter meter(1);
  std::atomic<bool> stop{false};
  const unsigned count = 4 * std::max(std::thread::hardware_concurrency(), 1u);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i)
    threads.emplace_back([&] {
      while (!stop) {
      }
    });
  Disturbance disturbance;
  const Time give_up = Now() + std::chrono::seconds(60);
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // in which the others make it wait
    disturbance = meter.Read({});
  } while (disturbance.waited.has_value() && !disturbance.busy() && Now() < give_up);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  if (!disturbance.waited.has_value()) GTEST_SKIP() << "this kernel does not count waiting";
  EXPECT_TRUE(disturbance.busy());
}

}  // namespace
}  // namespace resnetd::cli
