#include "server/edge/scores.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace resnetd::server {
namespace {

// The definition, in long double and with a full stable sort.
std::vector<ScoredClass> SlowBest(const std::vector<float>& logits, const ClassifyOptions& options) {
  long double sum = 0;
  const float largest = *std::max_element(logits.begin(), logits.end());
  for (float x : logits) sum += std::exp(static_cast<long double>(x) - largest);
  std::vector<ScoredClass> all;
  for (size_t i = 0; i < logits.size(); ++i) {
    const auto p = static_cast<float>(std::exp(static_cast<long double>(logits[i]) - largest) / sum);
    all.push_back({static_cast<int>(i), options.logits ? logits[i] : p});
  }
  std::stable_sort(all.begin(), all.end(),
                   [&](const auto& a, const auto& b) { return logits[a.index] > logits[b.index]; });
  all.resize(std::min(all.size(), static_cast<size_t>(options.top_k)));
  if (options.threshold) std::erase_if(all, [&](const auto& c) { return c.score < *options.threshold; });
  return all;
}

void ExpectSame(const std::vector<float>& logits, const ClassifyOptions& options) {
  const auto fast = BestClasses(logits, options), slow = SlowBest(logits, options);
  ASSERT_EQ(fast.size(), slow.size());
  for (size_t i = 0; i < fast.size(); ++i) {
    EXPECT_EQ(fast[i].index, slow[i].index) << i;
    EXPECT_NEAR(fast[i].score, slow[i].score, 1e-6 * std::max(1.0f, std::abs(slow[i].score))) << i;
  }
}

TEST(ScoresTest, AgreesWithTheDefinition) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 4);
  std::uniform_int_distribution<int> coarse(-3, 3);
  for (int round = 0; round < 500; ++round) {
    std::vector<float> logits(1 + random() % 40);
    // Every second round has many ties.
    for (float& x : logits) x = round % 2 == 0 ? normal(random) : static_cast<float>(coarse(random));
    ClassifyOptions options;
    options.top_k = 1 + static_cast<int>(random() % logits.size());
    options.logits = random() % 2 == 0;
    if (random() % 2 == 0) options.threshold = options.logits ? 0.5f : 0.1f;
    SCOPED_TRACE(testing::Message() << "round " << round);
    ExpectSame(logits, options);
  }
}

TEST(ScoresTest, TiesGoToTheLowerIndex) {
  const auto best = BestClasses({1, 2, 2, 2, 1}, {.top_k = 5, .logits = true});
  std::vector<int> order;
  for (const auto& c : best) order.push_back(c.index);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 0, 4}));
}

TEST(ScoresTest, LargeLogitsDoNotOverflow) {
  const auto best = BestClasses({3e38f, -3e38f, 2.9e38f}, {.top_k = 3});
  EXPECT_EQ(best[0].score, 1.0f);
  EXPECT_EQ(best[1].score, 0.0f);
  EXPECT_EQ(best[2].score, 0.0f);
}

TEST(ScoresTest, ThresholdIsInclusiveAndOfTheScoresAskedFor) {
  const std::vector<float> two = {0, 0};
  EXPECT_EQ(BestClasses(two, {.top_k = 2, .threshold = 0.5f}).size(), 2u);
  EXPECT_EQ(BestClasses(two, {.top_k = 2, .threshold = 0.500001f}).size(), 0u);
  EXPECT_EQ(BestClasses(two, {.top_k = 2, .logits = true, .threshold = 0.1f}).size(), 0u);
}

TEST(ScoresTest, ProbabilitiesAreOverAllClassesWhateverK) {
  EXPECT_FLOAT_EQ(BestClasses({0, 0, 0, 0}, {.top_k = 1})[0].score, 0.25f);
}

TEST(ScoresTest, EmbeddingIsCopiedOrScaledToLengthOne) {
  EXPECT_EQ(Embedding({3, 4}, {}), (std::vector<float>{3, 4}));
  EXPECT_EQ(Embedding({3, 4}, {.l2_normalize = true}), (std::vector<float>{0.6f, 0.8f}));
  EXPECT_EQ(Embedding({0, 0}, {.l2_normalize = true}), (std::vector<float>{0, 0}));
  const auto huge = Embedding({3e38f, 4e37f}, {.l2_normalize = true});
  EXPECT_NEAR(std::hypot(huge[0], huge[1]), 1, 1e-6);
  EXPECT_TRUE(Embedding({}, {.l2_normalize = true}).empty());
}

}  // namespace
}  // namespace resnetd::server
