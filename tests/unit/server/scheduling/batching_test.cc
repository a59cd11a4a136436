// Tests how many of the waiting items are run, in which size, and why: one line a case. Times are in ms from the
// decision.
#include "server/scheduling/batching.h"

#include <algorithm>
#include <string>

#include "gtest/gtest.h"

namespace resnetd::scheduling {
namespace {

constexpr int kNever = -1;
constexpr Time kNow = Time(std::chrono::hours(1));

constexpr Duration Ms(int ms) {
  return std::chrono::milliseconds(ms);
}

// Per image 10, 8, 7 and 6 ms.
const std::vector<BatchCost> kCosts = {{1, Ms(10)}, {2, Ms(16)}, {4, Ms(28)}, {8, Ms(48)}};

struct Want {
  int deadline = kNever;
  int prepare = 0;
};

struct BatchCase {
  std::string name;
  std::vector<BatchCost> costs;
  std::vector<Want> waiting;
  int count, plan_batch;
  Why why;
  int idle_workers = 1;
  double gain = 0.02, loss = 0.1;
};

std::vector<Want> Many(int count, Want want = {}) {
  return std::vector<Want>(count, want);
}

std::vector<Want> With(int count, int index, Want want) {
  std::vector<Want> wants(count);
  wants[index] = want;
  return wants;
}

const std::vector<BatchCost> kEight = {{1, Ms(10)}, {8, Ms(24)}};
const std::vector<BatchCost> kFlat = {{1, Ms(10)}, {2, Ms(14)}};
const std::vector<BatchCost> kHump = {{1, Ms(10)}, {2, Ms(20)}, {4, Ms(28)}};

const BatchCase kBatchCases[] = {
    {"one", kCosts, Many(1), 1, 1, Why::kAllWaiting},
    {"two", kCosts, Many(2), 2, 2, Why::kAllWaiting},
    {"three of four cost more per image than two", kCosts, Many(3), 2, 2, Why::kNoGain},
    {"three of four cost less", {{2, Ms(16)}, {4, Ms(20)}}, Many(3), 3, 4, Why::kAllWaiting},
    {"as many as the largest", kCosts, Many(8), 8, 8, Why::kAllWaiting},
    {"one more than the largest", kCosts, Many(9), 8, 8, Why::kLargest},
    {"the smallest size is padded", {{4, Ms(20)}, {8, Ms(30)}}, Many(1), 1, 4, Why::kAllWaiting},

    {"gain at the margin", {{1, Ms(100)}, {2, Ms(150)}}, Many(2), 2, 2, Why::kAllWaiting, 1, 0.25},
    {"gain below the margin", {{1, Ms(100)}, {2, Ms(151)}}, Many(2), 1, 1, Why::kNoGain, 1, 0.25},
    {"a loss at the margin, with a backlog", {{1, Ms(100)}, {2, Ms(250)}}, Many(3), 2, 2, Why::kLargest, 1, 0.02, 0.25},
    {"a loss beyond the margin, with a backlog",
     {{1, Ms(100)}, {2, Ms(251)}},
     Many(3),
     1,
     1,
     Why::kNoGain,
     1,
     0.02,
     0.25},
    {"no gain, and as many as the largest are no backlog", {{1, Ms(100)}, {2, Ms(200)}}, Many(2), 1, 1, Why::kNoGain},
    {"no gain at first, then some", kHump, Many(4), 4, 4, Why::kAllWaiting},
    {"prepare dilutes the gain just enough", kFlat, Many(2, {kNever, 2}), 2, 2, Why::kAllWaiting, 1, 0.25},
    {"prepare dilutes it too much", kFlat, Many(2, {kNever, 3}), 1, 1, Why::kNoGain, 1, 0.25},
    {"one slow image counts as two half as slow", kFlat, With(2, 1, {kNever, 4}), 2, 2, Why::kAllWaiting, 1, 0.25},

    {"last deadline just met", kCosts, With(8, 7, {48}), 8, 8, Why::kAllWaiting},
    {"last deadline just missed", kCosts, With(8, 7, {47}), 4, 4, Why::kDeadline},
    {"head met by four", kCosts, With(8, 0, {28}), 4, 4, Why::kDeadline},
    {"head met by two", kCosts, With(8, 0, {27}), 2, 2, Why::kDeadline},
    {"head met alone", kCosts, With(8, 0, {10}), 1, 1, Why::kDeadline},
    {"head late even alone constrains nothing", kCosts, With(8, 0, {9}), 8, 8, Why::kAllWaiting},
    {"all late even alone", kCosts, Many(4, {9}), 4, 4, Why::kAllWaiting},
    {"prepare counts: met", kCosts, Many(4, {40, 3}), 4, 4, Why::kAllWaiting},
    {"prepare counts: missed", kCosts, Many(4, {39, 3}), 2, 2, Why::kDeadline},
    {"prepare counts alone", kCosts, With(4, 0, {12, 3}), 4, 4, Why::kAllWaiting},
    {"a backlog is not made longer for one deadline", kCosts, With(9, 0, {10}), 8, 8, Why::kLargest},
    {"nor for all", kCosts, Many(9, {47}), 8, 8, Why::kLargest},
    {"as many as the largest are no backlog", kCosts, Many(8, {47}), 4, 4, Why::kDeadline},
    {"deadline beyond the batch is not looked at", kCosts, With(9, 8, {20}), 8, 8, Why::kLargest},
    {"the next larger size gives the reason", kHump, Many(4, {27}), 1, 1, Why::kNoGain},

    {"half each for two workers", kCosts, Many(8), 4, 4, Why::kShared, 2},
    {"a third each for three workers, in a size that holds it", kCosts, Many(9), 4, 4, Why::kShared, 3},
    {"more workers than items", kCosts, Many(2), 1, 1, Why::kShared, 4},
    {"one item has nothing to share", kCosts, Many(1), 1, 1, Why::kAllWaiting, 4},
    {"share beyond the largest", kCosts, Many(20), 8, 8, Why::kLargest, 2},
    {"a size that holds the share is not too large", kEight, Many(8), 8, 8, Why::kAllWaiting, 2},
    {"beyond the share within the margin", {{4, Ms(30)}, {8, Ms(40)}}, Many(8), 8, 8, Why::kAllWaiting, 2, 0.25},
    {"beyond the share past the margin", {{4, Ms(30)}, {8, Ms(41)}}, Many(8), 4, 4, Why::kShared, 2, 0.25},
};

TEST(BatchRule, Cases) {
  for (const BatchCase& c : kBatchCases) {
    SCOPED_TRACE(c.name);
    const CostModel costs(c.costs);
    std::vector<Candidate> front;
    Duration prepare{};
    for (const Want& w : c.waiting) {
      if (front.size() == static_cast<size_t>(costs.largest())) break;
      front.push_back({w.deadline == kNever ? Time::max() : kNow + Ms(w.deadline), Ms(w.prepare)});
      if (front.size() <= static_cast<size_t>(c.count)) prepare += Ms(w.prepare);
    }
    Limits limits;
    limits.batch_gain = c.gain;
    limits.backlog_loss = c.loss;
    const BatchChoice choice = ChooseBatch(costs, front, c.waiting.size(), c.idle_workers, limits, kNow);
    EXPECT_EQ(choice.count, c.count);
    EXPECT_EQ(costs.batch(choice.size), c.plan_batch);
    EXPECT_EQ(choice.why, c.why);
    EXPECT_EQ(choice.prepare, prepare);
  }
}

TEST(BatchRule, TimesSaturate) {
  EXPECT_EQ(SaturatingAdd(Time::max(), Ms(1)), Time::max());
  EXPECT_EQ(SaturatingAdd(Time::max() - Ms(1), Ms(1)), Time::max());
  EXPECT_EQ(SaturatingAdd(Time::max() - Ms(2), Ms(1)), Time::max() - Ms(1));
  EXPECT_EQ(SaturatingAdd(Time::min(), Duration::max()), Time(Duration(-1)));
}

}  // namespace
}  // namespace resnetd::scheduling
