#include "server/edge/pace.h"

#include "gtest/gtest.h"

namespace resnetd::server {
namespace {

using std::chrono::microseconds;

constexpr Time At(int us) {
  return Time(std::chrono::hours(1)) + microseconds(us);
}

TEST(PaceTest, ABurstAndThenOneEachInterval) {
  Pace pace(microseconds(100), 3);
  struct Case {
    int us;
    bool take;
  };
  for (const Case& c : std::initializer_list<Case>{{0, true},
                                                   {0, true},
                                                   {50, true},
                                                   {60, false},
                                                   {99, false},
                                                   {100, true},
                                                   {199, false},
                                                   {250, true},
                                                   {299, false},
                                                   {300, true},  // what is left of an interval counts on
                                                   {5000, true},
                                                   {5000, true},
                                                   {5000, true},
                                                   {5000, false},
                                                   {5099, false},
                                                   {5100, true}}) {  // no more than full
    EXPECT_EQ(pace.Take(At(c.us)), c.take) << c.us;
  }
}

TEST(PaceTest, Extremes) {
  Pace never(Duration::max(), 1), always(Duration::zero(), 1);
  EXPECT_TRUE(never.Take(At(0)));
  EXPECT_FALSE(never.Take(Time::max()));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(always.Take(At(0)));
}

}  // namespace
}  // namespace resnetd::server
