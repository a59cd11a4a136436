// Which connections have a lull, until when, and what their calls may have waited. Time is an argument.
#include "server/edge/lulls.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace resnetd::server {
namespace {

using std::chrono::milliseconds;

constexpr Time kBegin{std::chrono::hours(1)};
constexpr int kBacklog = 3;

// A connection without a socket: acceptor_test shows what pausing does to one.
std::shared_ptr<Connection> Named(const std::string& peer) {
  return std::make_shared<Connection>(Descriptor(), peer, kBegin);
}

TEST(LullsTest, CallsThatComeInOneOrJustAfterMayHaveWaitedSinceItsBeginning) {
  Lulls lulls(milliseconds(200), kBacklog);
  EXPECT_TRUE(lulls.empty());
  EXPECT_TRUE(lulls.Begin(Named("a"), kBegin));
  EXPECT_FALSE(lulls.empty());
  EXPECT_EQ(lulls.Waited("b", kBegin + milliseconds(7)), Duration::zero());
  for (int i = 0; i < 2 * kBacklog; ++i) EXPECT_EQ(lulls.Waited("a", kBegin + milliseconds(7)), milliseconds(7));

  lulls.EndDue(kBegin + milliseconds(199));
  EXPECT_EQ(lulls.Waited("a", kBegin + milliseconds(199)), milliseconds(199));
  lulls.EndDue(kBegin + milliseconds(200));
  for (int i = 0; i < kBacklog; ++i) EXPECT_EQ(lulls.Waited("a", kBegin + milliseconds(201)), milliseconds(201));
  EXPECT_EQ(lulls.Waited("a", kBegin + milliseconds(201)), Duration::zero());  // no more could wait in the socket
}

TEST(LullsTest, AfterTheTimeToCatchUpNothingIsLeftOfOne) {
  Lulls lulls(milliseconds(200), kBacklog);
  lulls.Begin(Named("a"), kBegin);
  const Time end = kBegin + milliseconds(200);
  lulls.EndDue(end);
  lulls.EndDue(end + Lulls::kCatchUp - Duration(1));
  EXPECT_FALSE(lulls.empty());
  lulls.EndDue(end + Lulls::kCatchUp);
  EXPECT_TRUE(lulls.empty());
  EXPECT_EQ(lulls.Waited("a", end + Lulls::kCatchUp), Duration::zero());
}

TEST(LullsTest, AConnectionHasOneAtATimeAndCatchesUpBeforeTheNext) {
  Lulls lulls(milliseconds(200), kBacklog);
  EXPECT_TRUE(lulls.Begin(Named("a"), kBegin));
  EXPECT_FALSE(lulls.Begin(Named("a"), kBegin + milliseconds(100)));
  EXPECT_TRUE(lulls.Begin(Named("b"), kBegin + milliseconds(100)));
  const Time end = kBegin + milliseconds(200);  // which the second Begin() did not move
  lulls.EndDue(end);
  EXPECT_FALSE(lulls.Begin(Named("a"), end));
  lulls.EndDue(end + Lulls::kCatchUp);
  EXPECT_TRUE(lulls.Begin(Named("a"), end + Lulls::kCatchUp));
}

TEST(LullsTest, AllEndAtOnce) {
  Lulls lulls(std::chrono::hours(10), kBacklog);
  lulls.Begin(Named("a"), kBegin);
  lulls.Begin(Named("b"), kBegin);
  lulls.EndAll(kBegin + milliseconds(1));
  for (const char* peer : {"a", "b"}) {
    EXPECT_EQ(lulls.Waited(peer, kBegin + milliseconds(2)), milliseconds(2));
  }
  lulls.EndDue(kBegin + milliseconds(1) + Lulls::kCatchUp);
  EXPECT_TRUE(lulls.empty());
}

}  // namespace
}  // namespace resnetd::server
