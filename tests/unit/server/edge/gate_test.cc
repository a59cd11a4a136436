#include "server/edge/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/time.h"
#include "server/edge/error.h"

namespace resnetd::server {
namespace {

TEST(GateTest, CallsUpToTheCap) {
  Gate gate(2, 100);
  ConnectionLoad load("a proxy", true);
  EXPECT_EQ(gate.Enter(load), std::nullopt);
  EXPECT_EQ(gate.Enter(load), std::nullopt);
  EXPECT_EQ(gate.Enter(load), Rejection::kCallsInFlight);
  EXPECT_EQ(gate.calls(), 2);
  gate.FreeSlot(load);
  EXPECT_EQ(gate.calls(), 2) << "its answer is on its way";
  EXPECT_EQ(gate.Enter(load), std::nullopt);
  EXPECT_EQ(gate.calls(), 3);
  EXPECT_EQ(gate.Enter(load), Rejection::kCallsInFlight);
  gate.Leave();
  EXPECT_EQ(gate.calls(), 2);
  EXPECT_EQ(gate.Enter(load), Rejection::kCallsInFlight) << "a call that leaves gave its slot back before";
}

TEST(GateTest, AnswersKeepNewCallsOutAndNoMessage) {
  Gate gate(10, 10'000);
  ConnectionLoad load("a proxy", true);
  ASSERT_EQ(gate.Enter(load), std::nullopt);
  gate.HoldAnswer(10'000);
  EXPECT_GE(gate.bytes(), 10'000u);
  EXPECT_EQ(gate.Enter(load), Rejection::kBytesInFlight);
  EXPECT_TRUE(gate.Reserve(10'000)) << "whoever is in may go on";
  gate.Release(10'000);
  gate.ReleaseAnswer(10'000);
  EXPECT_EQ(gate.bytes(), 0u);
  EXPECT_EQ(gate.Enter(load), std::nullopt);
  gate.HoldAnswer(0);
  EXPECT_GT(gate.bytes(), 0u) << "an empty answer takes memory too";
}

TEST(GateTest, BytesUpToTheCap) {
  Gate gate(10, 100);
  ConnectionLoad load("a proxy", true);
  EXPECT_TRUE(gate.Reserve(60));
  EXPECT_FALSE(gate.Reserve(41));
  EXPECT_EQ(gate.bytes(), 60u) << "what is refused holds nothing";
  EXPECT_EQ(gate.Enter(load), std::nullopt);
  EXPECT_TRUE(gate.Reserve(40));
  EXPECT_EQ(gate.Enter(load), Rejection::kBytesInFlight) << "no byte is left, so nothing is read";
  gate.Release(100);
  EXPECT_EQ(gate.Enter(load), std::nullopt);
}

TEST(GateTest, CrowdedAboveHalf) {
  Gate gate(1, 100);
  ConnectionLoad load("a proxy", true);
  ASSERT_TRUE(gate.Reserve(50));
  EXPECT_FALSE(gate.crowded());
  ASSERT_TRUE(gate.Reserve(1));
  EXPECT_TRUE(gate.crowded());
}

TEST(GateTest, ClosedLetsNobodyInAndKeepsWhoIsIn) {
  Gate gate(2, 100);
  ConnectionLoad load("a proxy", true);
  ASSERT_EQ(gate.Enter(load), std::nullopt);
  gate.Close();
  EXPECT_EQ(gate.Enter(load), Rejection::kDraining);
  EXPECT_EQ(gate.calls(), 1);
  EXPECT_TRUE(gate.Reserve(10));
}

TEST(GateTest, CapsHoldUnderContention) {
  constexpr int kThreads = 4, kRounds = 20'000, kCalls = 3;
  Gate gate(kCalls, 100);
  ConnectionLoad load("a proxy", true);
  std::atomic<int> inside{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        if (gate.Enter(load)) continue;
        const int now = ++inside;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        --inside;
        gate.FreeSlot(load);
        gate.Leave();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_LE(most, kCalls);
  EXPECT_GE(most, 1);
  EXPECT_EQ(gate.calls(), 0);
}

// With 16 slots: half are 8, and a share is 4.
TEST(GateTest, AConnectionHasAShareWhileOthersMayWait) {
  Gate gate(16, 100);
  ConnectionLoad a("a", false), b("b", false), c("c", false), proxy("d", true);
  const auto taken = [&](ConnectionLoad& load, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += gate.Enter(load) ? 0 : 1;
    return count;
  };
  EXPECT_EQ(taken(a, 16), 8) << "alone, half";
  EXPECT_EQ(gate.Enter(a), Rejection::kConnectionShare);
  EXPECT_EQ(taken(b, 16), 4);
  EXPECT_EQ(gate.Enter(b), Rejection::kConnectionShare);
  EXPECT_EQ(gate.Enter(a), Rejection::kConnectionShare);
  EXPECT_EQ(taken(proxy, 16), 4) << "all that are left";
  EXPECT_EQ(gate.Enter(proxy), Rejection::kCallsInFlight);
  EXPECT_EQ(gate.Enter(c), Rejection::kCallsInFlight);
  EXPECT_EQ(gate.calls(), 16);

  // It gives back and takes again, down to its share and below.
  for (int left = 8; left > 4; --left) {
    gate.FreeSlot(a);
    EXPECT_EQ(gate.Enter(a), Rejection::kConnectionShare) << left - 1;
  }
  EXPECT_EQ(a.slots, 4);
  gate.FreeSlot(a);
  EXPECT_EQ(gate.Enter(a), std::nullopt);
  EXPECT_EQ(gate.Enter(a), Rejection::kConnectionShare);
  // Where there is room, any number.
  for (int i = 0; i < 4; ++i) gate.FreeSlot(b);
  for (int i = 0; i < 4; ++i) gate.FreeSlot(proxy);
  EXPECT_EQ(taken(a, 16), 4);
}

TEST(GateTest, AShareIsOneAtLeast) {
  for (int slots : {1, 2, 3}) {
    Gate gate(slots, 100);
    std::vector<std::unique_ptr<ConnectionLoad>> loads;
    for (int i = 0; i < slots; ++i) {
      loads.push_back(std::make_unique<ConnectionLoad>("a", false));
      EXPECT_EQ(gate.Enter(*loads.back()), std::nullopt) << i << " of " << slots;
    }
    EXPECT_EQ(gate.Enter(*loads[0]), Rejection::kCallsInFlight);
  }
}

TEST(GateTest, TheShareIsNamed) {
  const Gate gate(1024, 100, 7);
  const absl::Status share = gate.Refusal(Rejection::kConnectionShare);
  EXPECT_EQ(share.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(share.message()), testing::HasSubstr("256 (--max-calls-in-flight"));
  EXPECT_THAT(std::string(share.message()), testing::HasSubstr("--trusted-proxies"));
  EXPECT_NE(RetryAfter(share), std::nullopt);
  const absl::Status streams = gate.Refusal(Rejection::kConnectionCalls);
  EXPECT_EQ(streams.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(streams.message()), testing::HasSubstr("7 (--max-streams-per-connection)"));
  EXPECT_EQ(RetryAfter(streams), std::nullopt);
}

TEST(GateTest, StreamsTakeSlotsForTheirRequestsAlone) {
  Gate gate(1, 100, 2);
  ConnectionLoad a("a", false), b("b", false), proxy("c", true);
  EXPECT_EQ(gate.EnterStream(a), std::nullopt);
  EXPECT_EQ(gate.EnterStream(a), std::nullopt);
  EXPECT_EQ(gate.EnterStream(a), Rejection::kConnectionCalls);
  EXPECT_EQ(gate.EnterStream(b), std::nullopt);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(gate.EnterStream(proxy), std::nullopt);
  EXPECT_EQ(gate.calls(), 6);
  EXPECT_EQ(gate.TakeSlot(a), std::nullopt);
  EXPECT_EQ(gate.TakeSlot(b), Rejection::kCallsInFlight);
  EXPECT_EQ(gate.Enter(b), Rejection::kCallsInFlight);
  gate.FreeSlot(a);
  EXPECT_EQ(gate.TakeSlot(b), std::nullopt);
  gate.FreeSlot(b);
  gate.LeaveStream(a);
  EXPECT_EQ(gate.EnterStream(a), std::nullopt);
  ASSERT_TRUE(gate.Reserve(100));
  EXPECT_EQ(gate.EnterStream(b), Rejection::kBytesInFlight);
  gate.Close();
  EXPECT_EQ(gate.EnterStream(b), Rejection::kDraining);
  EXPECT_EQ(b.streams, 1);
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
  EXPECT_THAT(
      names, testing::UnorderedElementsAre("bytes_in_flight", "calls_in_flight", "connection_calls", "connection_share",
                                           "deadline", "draining", "message_size", "message_time", "queue_bytes",
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
