#include "server/process/line_limit.h"

#include <gtest/gtest.h>

namespace resnetd::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Time kStart{seconds(1000)};

TEST(LineLimitTest, TheFirstOfAWindowAreWritten) {
  LineLimit limit(3, seconds(10));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.Admit(kStart + seconds(i))) << i;
  for (int i = 3; i < 10; ++i) EXPECT_FALSE(limit.Admit(kStart + seconds(i))) << i;
  EXPECT_FALSE(limit.Admit(kStart + milliseconds(9999)));
  EXPECT_TRUE(limit.Admit(kStart + seconds(10)));
}

TEST(LineLimitTest, WhatIsLeftOutIsToldOnceWhenTheWindowIsOver) {
  LineLimit limit(1, seconds(10));
  EXPECT_EQ(limit.TakeLeftOut(kStart), 0);
  EXPECT_TRUE(limit.Admit(kStart));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limit.Admit(kStart + seconds(1)));
  EXPECT_EQ(limit.TakeLeftOut(kStart + milliseconds(9999)), 0);
  EXPECT_EQ(limit.TakeLeftOut(kStart + seconds(10)), 5);
  EXPECT_EQ(limit.TakeLeftOut(kStart + seconds(10)), 0);
}

TEST(LineLimitTest, NothingIsForgottenWhenAWindowFollowsAnother) {
  LineLimit limit(1, seconds(10));
  EXPECT_TRUE(limit.Admit(kStart));
  EXPECT_FALSE(limit.Admit(kStart));
  EXPECT_TRUE(limit.Admit(kStart + seconds(10)));
  EXPECT_FALSE(limit.Admit(kStart + seconds(11)));
  EXPECT_EQ(limit.TakeLeftOut(kStart + seconds(12)), 0);
  EXPECT_EQ(limit.TakeLeftOut(Time::max()), 2) << "at the end a window that lasts is told too";
}

TEST(LineLimitTest, AWindowBeginsWithItsFirstLine) {
  LineLimit limit(1, seconds(10));
  EXPECT_TRUE(limit.Admit(kStart));
  EXPECT_TRUE(limit.Admit(kStart + seconds(15)));
  EXPECT_FALSE(limit.Admit(kStart + seconds(24)));
  EXPECT_TRUE(limit.Admit(kStart + seconds(25)));
}

// A minute of a thousand lines a second.
TEST(LineLimitTest, TheRateIsBoundedAndEveryLineIsAccountedFor) {
  LineLimit limit(10, seconds(10));
  int64_t written = 0, left_out = 0;
  for (int i = 0; i < 60'000; ++i) {
    const Time now = kStart + milliseconds(i);
    left_out += limit.TakeLeftOut(now);
    written += limit.Admit(now) ? 1 : 0;
  }
  EXPECT_EQ(written, 60);
  EXPECT_EQ(written + left_out + limit.TakeLeftOut(Time::max()), 60'000);
}

}  // namespace
}  // namespace resnetd::server
