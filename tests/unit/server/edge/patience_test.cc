// The time is an argument here: nothing waits.
#include "server/edge/patience.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "server/edge/error.h"

namespace resnetd::server {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Duration kMessage = milliseconds(100), kAnswer = milliseconds(1000);
const Time kStart = Time(std::chrono::hours(1));

// Knows no connection.
std::optional<Traffic> Nobody(const std::string& /*peer*/) {
  return std::nullopt;
}

class PatienceTest : public testing::Test {
 protected:
  struct Someone final : Waiter, std::enable_shared_from_this<Someone> {
    Someone(int name, ConnectionLoad& load, std::vector<int>& log) : number(name), wait(*this, load), told(log) {}
    std::shared_ptr<Waiter> Self() override { return weak_from_this().lock(); }
    void Overdue(Awaited) override { told.push_back(number); }
    const int number;
    Patience::Wait wait;
    std::vector<int>& told;
  };

  std::shared_ptr<Someone> New(int number) { return std::make_shared<Someone>(number, load_, told_); }
  std::optional<Traffic> Ask(const std::string& peer) {
    EXPECT_EQ(peer, load_.peer);
    ++asked_;
    return traffic_;
  }
  Patience Moving() {
    return Patience({kMessage, kAnswer}, [this](const std::string& peer) { return Ask(peer); });
  }

  ConnectionLoad load_{"ipv4:127.0.0.1:1", false};
  std::vector<int> told_;
  std::optional<Traffic> traffic_;
  int asked_ = 0;
};

TEST_F(PatienceTest, WhoWaitsIsToldOnceWhenTheTimeHasPassed) {
  Patience patience({kMessage, kAnswer}, Nobody);
  const auto one = New(1), two = New(2), three = New(3);
  patience.Begin(one->wait, Awaited::kMessage, kStart);
  patience.Begin(two->wait, Awaited::kAnswer, kStart);
  patience.Begin(three->wait, Awaited::kMessage, kStart + milliseconds(10));
  EXPECT_EQ(load_.waits[Awaited::kMessage], 2);
  for (int ms = 0; ms < 100; ++ms) patience.Look(kStart + milliseconds(ms));
  EXPECT_THAT(told_, IsEmpty());
  patience.Look(kStart + milliseconds(100));
  EXPECT_THAT(told_, ElementsAre(1));
  for (int ms = 100; ms < 1000; ++ms) patience.Look(kStart + milliseconds(ms));
  EXPECT_THAT(told_, ElementsAre(1, 3));
  patience.Look(kStart + milliseconds(1000));
  EXPECT_THAT(told_, ElementsAre(1, 3, 2));
  patience.Look(kStart + std::chrono::hours(1));
  EXPECT_EQ(told_.size(), 3u);
  for (const Awaited what : EnumValues<Awaited>()) EXPECT_EQ(load_.waits[what], 0);
}

TEST_F(PatienceTest, WhoHasEndedIsNotTold) {
  Patience patience({kMessage, kAnswer}, Nobody);
  const auto one = New(1), two = New(2);
  patience.Begin(one->wait, Awaited::kMessage, kStart);
  patience.Begin(two->wait, Awaited::kMessage, kStart);
  patience.End(one->wait, Awaited::kAnswer);  // it waits for the message
  patience.Look(kStart + milliseconds(60));
  patience.End(two->wait, Awaited::kMessage);
  patience.End(two->wait, Awaited::kMessage);
  EXPECT_EQ(load_.waits[Awaited::kMessage], 1);
  patience.Look(kStart + milliseconds(110));
  patience.Look(kStart + milliseconds(200));
  EXPECT_THAT(told_, ElementsAre(1));
  patience.Begin(two->wait, Awaited::kMessage, kStart + milliseconds(200));
  patience.Look(kStart + milliseconds(250));
  EXPECT_EQ(told_.size(), 1u) << "it has waited for half of the time";
  patience.Look(kStart + milliseconds(300));
  EXPECT_THAT(told_, ElementsAre(1, 2));
}

TEST_F(PatienceTest, ATimeOfZeroNeverPasses) {
  Patience patience({Duration(0), kAnswer}, Nobody);
  const auto one = New(1);
  patience.Begin(one->wait, Awaited::kMessage, kStart);
  EXPECT_EQ(load_.waits[Awaited::kMessage], 0);
  patience.Look(kStart + std::chrono::hours(1000));
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(PatienceTest, WhatMovesIsWaitedForUntilItStandsStill) {
  for (const Awaited what : EnumValues<Awaited>()) {
    Patience patience = Moving();
    const Duration half = (what == Awaited::kMessage ? kMessage : kAnswer) / 2;
    uint64_t Traffic::*const moves = what == Awaited::kMessage ? &Traffic::received : &Traffic::acknowledged;
    traffic_ = Traffic{.received = 7, .acknowledged = 7};
    told_.clear();
    const auto one = New(1);
    patience.Begin(one->wait, what, kStart);
    Time now = kStart;
    for (int i = 0; i < 20; ++i) {
      patience.Look(now += half);
      (*traffic_).*moves += Patience::kLeastBytes;
    }
    EXPECT_THAT(told_, IsEmpty());
    patience.Look(now += half);
    (*traffic_).*moves += Patience::kLeastBytes - 1;
    EXPECT_THAT(told_, IsEmpty());
    patience.Look(now += half);
    EXPECT_THAT(told_, ElementsAre(1)) << "a byte too few";
  }
}

TEST_F(PatienceTest, BytesTheOtherWayAreNoProgress) {
  Patience patience = Moving();
  traffic_ = Traffic{};
  const auto one = New(1), two = New(2);
  patience.Begin(one->wait, Awaited::kMessage, kStart);
  patience.Look(kStart + kMessage / 2);
  traffic_->acknowledged += 1 << 20;
  patience.Look(kStart + kMessage);
  EXPECT_THAT(told_, ElementsAre(1));
  patience.Begin(two->wait, Awaited::kAnswer, kStart);
  patience.Look(kStart + kAnswer / 2);
  traffic_->received += 1 << 20;
  patience.Look(kStart + kAnswer);
  EXPECT_THAT(told_, ElementsAre(1, 2));
}

// One call that moves would otherwise keep a thousand that do not.
TEST_F(PatienceTest, AConnectionMovesForEachOfItsCalls) {
  Patience patience = Moving();
  for (const bool enough : {true, false}) {
    traffic_ = Traffic{};
    told_.clear();
    std::deque<std::shared_ptr<Someone>> calls;
    for (int i = 0; i < 1000; ++i) {
      patience.Begin(calls.emplace_back(New(i))->wait, Awaited::kMessage, kStart);
    }
    asked_ = 0;
    patience.Look(kStart + kMessage / 2);
    EXPECT_EQ(asked_, 1) << "once for all of them";
    traffic_->received = 1000 * Patience::kLeastBytes - (enough ? 0 : 1);
    patience.Look(kStart + kMessage);
    EXPECT_EQ(told_.empty(), enough);
    for (const auto& call : calls) patience.End(call->wait, Awaited::kMessage);
    EXPECT_EQ(load_.waits[Awaited::kMessage], 0);
  }
}

TEST_F(PatienceTest, WhatMovesForEverIsOverAtLast) {
  Patience patience = Moving();
  traffic_ = Traffic{};
  const auto one = New(1);
  patience.Begin(one->wait, Awaited::kMessage, kStart);
  Time now = kStart;
  for (int i = 1; i < 2 * Patience::kMostTimes; ++i) {
    patience.Look(now += kMessage / 2);
    traffic_->received += 1 << 20;
  }
  EXPECT_THAT(told_, IsEmpty());
  patience.Look(now += kMessage / 2);
  EXPECT_THAT(told_, ElementsAre(1));
}

TEST_F(PatienceTest, WhereNobodyKnowsNothingMoves) {
  Patience patience = Moving();
  const auto never = New(1), later = New(2), gone = New(3);
  patience.Begin(never->wait, Awaited::kMessage, kStart);
  patience.Look(kStart + kMessage / 2);
  patience.Look(kStart + kMessage);
  EXPECT_THAT(told_, ElementsAre(1));
  patience.Begin(later->wait, Awaited::kMessage, kStart);
  patience.Look(kStart + kMessage / 2);
  traffic_ = Traffic{.received = 1 << 20};
  patience.Look(kStart + kMessage);
  EXPECT_THAT(told_, ElementsAre(1, 2)) << "since when it has received these is not known";
  patience.Begin(gone->wait, Awaited::kMessage, kStart);
  patience.Look(kStart + kMessage / 2);
  traffic_.reset();
  patience.Look(kStart + kMessage);
  EXPECT_THAT(told_, ElementsAre(1, 2, 3));
}

TEST_F(PatienceTest, ManyThreadsBeginAndEndWhileOneLooks) {
  Patience patience({milliseconds(1), milliseconds(1)}, Nobody);
  std::thread watchman([&] { patience.Run(); });
  struct Patient final : Waiter, std::enable_shared_from_this<Patient> {
    explicit Patient(ConnectionLoad& load) : wait(*this, load) {}
    std::shared_ptr<Waiter> Self() override { return weak_from_this().lock(); }
    void Overdue(Awaited) override { overdue = true; }
    Patience::Wait wait;
    std::atomic<bool> overdue{false};
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 3000; ++i) {
        const auto one = std::make_shared<Patient>(load_);
        patience.Begin(one->wait, Awaited::kMessage, Now());
        patience.End(one->wait, Awaited::kMessage);
        patience.Begin(one->wait, Awaited::kAnswer, Now());
        // Some wait until they are told.
        while (i % 1000 == 999 && !one->overdue) std::this_thread::yield();
        patience.End(one->wait, Awaited::kAnswer);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  patience.Stop();
  watchman.join();
  for (const Awaited what : EnumValues<Awaited>()) EXPECT_EQ(load_.waits[what], 0);
}

// The watchman is woken by a wait that has ended again when it looks, and must be woken by the next one.
TEST_F(PatienceTest, TheWatchmanDoesNotOversleep) {
  Patience patience({milliseconds(4), kAnswer}, Nobody);
  std::thread watchman([&] { patience.Run(); });
  struct Sleeper final : Waiter, std::enable_shared_from_this<Sleeper> {
    explicit Sleeper(ConnectionLoad& load) : wait(*this, load) {}
    std::shared_ptr<Waiter> Self() override { return weak_from_this().lock(); }
    void Overdue(Awaited) override { overdue = true; }
    Patience::Wait wait;
    std::atomic<bool> overdue{false};
  };
  for (int round = 0; round < 30; ++round) {
    std::this_thread::sleep_for(milliseconds(3));  // so that the watchman sleeps by then, mostly
    const auto gone = std::make_shared<Sleeper>(load_), stays = std::make_shared<Sleeper>(load_);
    patience.Begin(gone->wait, Awaited::kMessage, Now());
    patience.End(gone->wait, Awaited::kMessage);
    std::this_thread::sleep_for(milliseconds(3));  // so that it has looked and sleeps again, mostly
    patience.Begin(stays->wait, Awaited::kMessage, Now());
    while (!stays->overdue) std::this_thread::yield();
  }
  patience.Stop();
  watchman.join();
}

TEST_F(PatienceTest, TheErrorNamesTheTimeAndTheOption) {
  const absl::Status status = Patience({milliseconds(1234), kAnswer}, Nobody).MessageOverdue();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("within 1234 ms"));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("--message-timeout-ms"));
  EXPECT_EQ(RetryAfter(status), std::nullopt);
}

}  // namespace
}  // namespace resnetd::server
