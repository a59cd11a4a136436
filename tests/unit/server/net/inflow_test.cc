#include "server/net/inflow.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace resnetd::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int64_t kKb = 1 << 10, kMb = 1 << 20;
constexpr Time kStart{seconds(1000)};
constexpr int64_t kIdle = 40 * kMb;
constexpr Inflow::Limits kLimits{.streams = 1600, .streams_of_address = 2400, .message_bytes = 16 * kMb};
// The server sends so much before any answer.
constexpr int64_t kGreeting = 42;

// Connections and the size of the process as a test makes them.
class InflowTest : public ::testing::Test {
 protected:
  Account& Connect(const std::string& address = "192.0.2.1") {
    // References stay good.
    if (all_.empty()) all_.reserve(100);
    all_.push_back({.id = ++last_id_, .address = address, .read = 100, .sent = kGreeting});
    return all_.back();
  }
  // "2 headers, 1 streams", by id; the ones named are gone afterwards.
  std::string Look(int64_t grown) {
    resident_ += grown;
    now_ += milliseconds(10);
    std::vector<std::string> cuts;
    for (const Inflow::Cut& cut : inflow_.Look(now_, resident_, std::max<int64_t>(grown, 0), all_)) {
      EXPECT_GT(cut.amount, cut.limit);
      cuts.push_back(absl::StrCat(cut.id, " ", ExcessName(cut.excess)));
      std::erase_if(all_, [&](const Account& account) { return account.id == cut.id; });
    }
    std::string text;
    for (const std::string& cut : cuts) absl::StrAppend(&text, text.empty() ? "" : ", ", cut);
    return text;
  }

  Time now_ = kStart;
  int64_t resident_ = kIdle;
  uint64_t last_id_ = 0;
  std::vector<Account> all_;
  Inflow inflow_{kLimits};
};

TEST_F(InflowTest, HeadersWithoutEndAreCut) {
  Account& attack = Connect();
  attack.streams_begun = 1;
  int64_t grown = 0;
  std::string cut;
  while (cut.empty() && grown < 100 * kMb) {
    attack.read += 60 * kKb;
    cut = Look(60 * 70 * kKb);
    grown += 60 * 70 * kKb;
  }
  EXPECT_EQ(cut, "1 headers");
  EXPECT_LE(grown, 40 * kMb);
}

TEST_F(InflowTest, SlowHeadersWithoutEndAreCutToo) {
  Account& attack = Connect();
  attack.streams_begun = 1;
  std::string cut;
  int64_t grown = 0;
  while (cut.empty() && grown < 100 * kMb) {
    attack.read += 4 * kKb;
    now_ += seconds(5);
    cut = Look(4 * 70 * kKb);
    grown += 4 * 70 * kKb;
  }
  EXPECT_EQ(cut, "1 headers");
  EXPECT_LE(grown, 40 * kMb);
}

TEST_F(InflowTest, OpenCallsDoNotCoverHeadersWithoutEnd) {
  Account& attack = Connect();
  attack.streams_begun = 1000;
  std::string cut;
  int64_t grown = 0;
  while (cut.empty() && grown < 500 * kMb) {
    attack.read += 60 * kKb;
    cut = Look(60 * 70 * kKb);
    grown += 60 * 70 * kKb;
  }
  EXPECT_EQ(cut, "1 headers");
  EXPECT_LE(grown, 80 * kMb);
}

TEST_F(InflowTest, FourAtOnceAreCutWithLittleMoreThanOne) {
  for (int i = 0; i < 4; ++i) Connect().streams_begun = 1;
  int64_t grown = 0;
  while (!all_.empty() && grown < 500 * kMb) {
    for (Account& attack : all_) attack.read += 15 * kKb;
    const int64_t growth = static_cast<int64_t>(all_.size()) * 15 * 70 * kKb;
    Look(growth);
    grown += growth;
  }
  EXPECT_LE(grown, 40 * kMb);
}

// A photograph's message is whole, and decoding it takes many times its size.
TEST_F(InflowTest, WhatAWholeMessageBecomesIsNoOnesHeaders) {
  Account& photo = Connect();
  photo.streams_begun = 1;
  photo.read += 500 * kKb;
  photo.messages = 1;
  EXPECT_EQ(Look(2 * kMb), "");
  EXPECT_EQ(Look(100 * kMb), "");
  photo.read += 100 * kKb;
  EXPECT_EQ(Look(100 * kMb), "1 headers");
}

TEST_F(InflowTest, MemoryThatWasGivenBackHidesNothing) {
  Connect("192.0.2.2");
  EXPECT_EQ(Look(200 * kMb), "");
  resident_ -= 200 * kMb;  // unseen, as falls are
  Account& attack = Connect();
  attack.streams_begun = 1;
  attack.read += 300 * kKb;
  EXPECT_EQ(Look(40 * kMb), "2 headers");
}

// A stream that is read is told to go on after half a window at the latest. That holds at any speed of the link, with
// any number of messages side by side, and while images of others are decoded.
TEST_F(InflowTest, UploadsAreNeverCut) {
  for (const int64_t calls : {1, 8, 64, 1000}) {
    for (const int64_t bytes_per_look : {1 * kKb, 30 * kKb, 300 * kKb, 3 * kMb, 20 * kMb}) {
      SCOPED_TRACE(absl::StrCat(calls, " calls, ", bytes_per_look, " bytes between two looks"));
      all_.clear();
      Account& upload = Connect();
      upload.streams_begun = calls;
      int64_t unanswered = 0, of_message = 0;
      for (int look = 0; look < 3000; ++look) {
        upload.read += bytes_per_look;
        unanswered += bytes_per_look;
        of_message += bytes_per_look;
        if (unanswered >= 32 * kKb * std::min<int64_t>(calls, 16)) {
          upload.sent += 26;
          unanswered = 0;
        }
        if (of_message >= 16 * kMb * calls) {
          of_message -= 16 * kMb * calls;
          upload.messages += calls;
        }
        ASSERT_EQ(Look(look % 2 == 0 ? 30 * kMb : -30 * kMb), "") << "look " << look;
      }
    }
  }
}

// The server is behind for some looks with saying that it may go on, which happens when much arrives at once.
TEST_F(InflowTest, FastUploadsAreNotCutWhereTheServerIsBehind) {
  Account& upload = Connect();
  upload.streams_begun = 64;
  for (int look = 0; look < 500; ++look) {
    upload.read += 10 * kMb;
    if (look % 4 == 0) upload.sent += 26 * 64;
    if (look % 10 == 0) ++upload.messages;
    ASSERT_EQ(Look(look % 4 == 0 ? -30 * kMb : 10 * kMb), "") << "look " << look;
  }
}

TEST_F(InflowTest, OthersUploadsAreNoOnesHeaders) {
  Account& upload = Connect("192.0.2.1");
  Account& silent = Connect("192.0.2.2");
  upload.streams_begun = silent.streams_begun = 4;
  silent.read += 300 * kKb;  // a client that stopped in the midst of its messages
  for (int look = 0; look < 60; ++look) {
    upload.read += kMb;
    upload.sent += 26;
    ASSERT_EQ(Look(kMb), "") << look;
  }
}

TEST_F(InflowTest, CallsBeyondWhatAClientMayHaveAreCut) {
  Account& client = Connect();
  client.streams_begun = 1'001'600;
  client.streams_ended = 1'000'000;
  EXPECT_EQ(Look(5 * kMb), "");
  ++client.streams_begun;
  EXPECT_EQ(Look(5 * kMb), "1 streams");
}

TEST_F(InflowTest, ConnectionsOfOneAddressShareTheirCalls) {
  for (int i = 0; i < 4; ++i) Connect().streams_begun = 600 + i;
  for (int i = 0; i < 4; ++i) Connect(absl::StrCat("192.0.2.", 10 + i)).streams_begun = 1000;
  for (int i = 0; i < 4; ++i) Connect("").streams_begun = 1000;  // proxies, each of many clients
  // The largest is cut, and what is left is more than a quarter, down to the last.
  EXPECT_EQ(Look(5 * kMb), "4 streams, 3 streams, 2 streams, 1 streams");
}

// One of an address is cut for something else, whereupon all have too many calls for an offender.
TEST_F(InflowTest, TheLargestOfANewOffenderIsCut) {
  Connect().streams_begun = 220;
  Account& attack = Connect();
  attack.streams_begun = 210;
  Connect().streams_begun = 205;
  Connect().streams_begun = 200;
  Look(5 * kMb);
  attack.read += 220 * 17 * kMb;
  attack.sent += 5000;
  EXPECT_EQ(Look(5 * kMb), "2 unfinished, 1 streams");
  EXPECT_EQ(Look(5 * kMb), "");
}

TEST_F(InflowTest, AnOffenderHasAQuarterForAMinute) {
  Account& attack = Connect("192.0.2.1");
  Account& polite = Connect("192.0.2.1");
  Account& other = Connect("192.0.2.2");
  attack.streams_begun = 1601;
  polite.streams_begun = 400;
  other.streams_begun = 1600;
  EXPECT_EQ(Look(5 * kMb), "1 streams");
  EXPECT_EQ(inflow_.offenders(), 1);
  Account& again = Connect("192.0.2.1");
  again.streams_begun = 401;
  EXPECT_EQ(Look(5 * kMb), absl::StrCat(last_id_, " streams"));
  EXPECT_EQ(all_.size(), 2);
  now_ += seconds(59);
  Connect("192.0.2.1").streams_begun = 401;
  EXPECT_EQ(Look(5 * kMb), absl::StrCat(last_id_, " streams"));
  now_ += seconds(61);
  Connect("192.0.2.1").streams_begun = 1600;
  EXPECT_EQ(Look(5 * kMb), "");
  EXPECT_EQ(inflow_.offenders(), 0);
}

TEST_F(InflowTest, AMessageLargerThanAllowedIsCutBeforeItIsWhole) {
  Account& attack = Connect();
  attack.streams_begun = 1;
  Look(5 * kMb);
  attack.read += 17 * kMb;
  attack.sent += 5000;
  EXPECT_EQ(Look(17 * kMb), "");
  attack.read += kKb;
  EXPECT_EQ(Look(5 * kMb), "1 unfinished");
}

TEST_F(InflowTest, PingsForMonthsAreNot) {
  Account& idle = Connect();
  for (int day = 0; day < 365; ++day) {
    idle.read += 17 * 24 * 3600 / 5;
    idle.sent += 17 * 24 * 3600 / 5;
    now_ += seconds(24 * 3600);
    ASSERT_EQ(Look(5 * kMb), "") << day;
  }
}

TEST_F(InflowTest, OffendersAreForgottenWhereThereAreTooMany) {
  for (size_t i = 0; i < 2 * Inflow::kMostOffenders; ++i) {
    all_.clear();
    Connect(absl::StrCat(i)).streams_begun = 1601;
    EXPECT_NE(Look(0), "");
    EXPECT_LE(inflow_.offenders(), Inflow::kMostOffenders);
  }
}

}  // namespace
}  // namespace resnetd::server
