#include "server/edge/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/time.h"

namespace resnetd::server {
namespace {

TEST(GateTest, CallsUpToTheCap) {
  Gate gate(2, 100);
  EXPECT_EQ(gate.Enter(), std::nullopt);
  EXPECT_EQ(gate.Enter(), std::nullopt);
  EXPECT_EQ(gate.Enter(), Rejection::kCallsInFlight);
  EXPECT_EQ(gate.calls(), 2);
  gate.FreeSlot();
  EXPECT_EQ(gate.calls(), 2) << "its answer is on its way";
  EXPECT_EQ(gate.Enter(), std::nullopt);
  EXPECT_EQ(gate.calls(), 3);
  EXPECT_EQ(gate.Enter(), Rejection::kCallsInFlight);
  gate.Leave();
  EXPECT_EQ(gate.calls(), 2);
  EXPECT_EQ(gate.Enter(), Rejection::kCallsInFlight) << "a call that leaves gave its slot back before";
}

TEST(GateTest, AnswersKeepNewCallsOutAndNoMessage) {
  Gate gate(10, 10'000);
  ASSERT_EQ(gate.Enter(), std::nullopt);
  gate.HoldAnswer(10'000);
  EXPECT_GE(gate.bytes(), 10'000u);
  EXPECT_EQ(gate.Enter(), Rejection::kBytesInFlight);
  EXPECT_TRUE(gate.Reserve(10'000)) << "whoever is in may go on";
  gate.Release(10'000);
  gate.ReleaseAnswer(10'000);
  EXPECT_EQ(gate.bytes(), 0u);
  EXPECT_EQ(gate.Enter(), std::nullopt);
  gate.HoldAnswer(0);
  EXPECT_GT(gate.bytes(), 0u) << "an empty answer takes memory too";
}

TEST(GateTest, BytesUpToTheCap) {
  Gate gate(10, 100);
  EXPECT_TRUE(gate.Reserve(60));
  EXPECT_FALSE(gate.Reserve(41));
  EXPECT_EQ(gate.bytes(), 60u) << "what is refused holds nothing";
  EXPECT_EQ(gate.Enter(), std::nullopt);
  EXPECT_TRUE(gate.Reserve(40));
  EXPECT_EQ(gate.Enter(), Rejection::kBytesInFlight) << "no byte is left, so nothing is read";
  gate.Release(100);
  EXPECT_EQ(gate.Enter(), std::nullopt);
}

TEST(GateTest, CrowdedAboveHalf) {
  Gate gate(1, 100);
  ASSERT_TRUE(gate.Reserve(50));
  EXPECT_FALSE(gate.crowded());
  ASSERT_TRUE(gate.Reserve(1));
  EXPECT_TRUE(gate.crowded());
}

TEST(GateTest, ClosedLetsNobodyInAndKeepsWhoIsIn) {
  Gate gate(2, 100);
  ASSERT_EQ(gate.Enter(), std::nullopt);
  gate.Close();
  EXPECT_EQ(gate.Enter(), Rejection::kDraining);
  EXPECT_EQ(gate.calls(), 1);
  EXPECT_TRUE(gate.Reserve(10));
}

TEST(GateTest, CapsHoldUnderContention) {
  constexpr int kThreads = 4, kRounds = 20'000, kCalls = 3;
  Gate gate(kCalls, 100);
  std::atomic<int> inside{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        if (gate.Enter()) continue;
        const int now = ++inside;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        --inside;
        gate.FreeSlot();
        gate.Leave();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_LE(most, kCalls);
  EXPECT_GE(most, 1);
  EXPECT_EQ(gate.calls(), 0);
}

// The page's lines about refusals.
std::vector<std::string> Lines(Metrics& metrics) {
  std::vector<std::string> lines = absl::StrSplit(metrics.Scrape(), '\n');
  std::erase_if(lines, [](const std::string& line) { return !absl::StartsWith(line, "resnetd_rejections_total{"); });
  return lines;
}

TEST(RejectionTest, Names) {
  std::vector<std::string> names;
  for (const Rejection reason : EnumValues<Rejection>()) names.emplace_back(RejectionName(reason));
  EXPECT_THAT(names, testing::UnorderedElementsAre("bytes_in_flight", "calls_in_flight", "connection_calls", "deadline",
                                                   "draining", "message_size", "message_time", "queue_bytes",
                                                   "queue_time", "request_size", "unauthenticated"));
}

TEST(RejectionTest, EachIsCountedUnderItsNameAndThereFromTheStart) {
  Metrics metrics;
  const RejectionCounters counters(metrics);
  EXPECT_EQ(Lines(metrics).size(), EnumValues<Rejection>().size());
  for (const Rejection reason : EnumValues<Rejection>()) {
    const std::string series = absl::StrCat("resnetd_rejections_total{reason=\"", RejectionName(reason), "\"} ");
    EXPECT_THAT(Lines(metrics), testing::Contains(series + "0"));
    counters.Count(reason);
    EXPECT_THAT(Lines(metrics), testing::Contains(series + "1"));
  }
}

TEST(DeadlineTest, ConvertsWithoutOverflow) {
  using std::chrono::system_clock;
  const system_clock::time_point wall(std::chrono::seconds(1'700'000'000));
  const Time steady(std::chrono::seconds(5));
  EXPECT_EQ(ToSteady(wall + std::chrono::milliseconds(250), wall, steady), steady + std::chrono::milliseconds(250));
  EXPECT_EQ(ToSteady(system_clock::time_point::max(), wall, steady), Time::max());
  EXPECT_EQ(ToSteady(system_clock::time_point::max() - std::chrono::hours(1), wall, steady), Time::max());
  EXPECT_EQ(ToSteady(wall + std::chrono::hours(24 * 365 * 101), wall, steady), Time::max());
  EXPECT_EQ(ToSteady(wall + std::chrono::hours(24 * 365 * 99), wall, steady),
            steady + std::chrono::hours(24 * 365 * 99));
  for (auto past :
       {system_clock::time_point::min(), system_clock::time_point(), wall - std::chrono::seconds(1), wall}) {
    EXPECT_LT(ToSteady(past, wall, steady), steady) << past.time_since_epoch().count();
  }
}

}  // namespace
}  // namespace resnetd::server
