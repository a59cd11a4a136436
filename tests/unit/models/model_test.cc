#include "models/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

#include "base/enum_table.h"

namespace resnetd {
namespace {

Head HeadOf(size_t classes, HeadActivation activation = HeadActivation::kSoftmax, std::vector<float> thresholds = {}) {
  return {"head", OutputId{0}, static_cast<int>(classes), activation, std::move(thresholds), {}};
}

std::vector<ScoredClass> Best(absl::Span<const float> logits, const Head& head, const ClassifyOptions& options) {
  return BestClasses(Probabilities(logits, head.activation), head, options);
}

std::vector<ScoredClass> Best(const std::vector<float>& logits, const ClassifyOptions& options) {
  return Best(logits, HeadOf(logits.size()), options);
}

// The definition, in long double.
float SlowProbability(const std::vector<float>& logits, size_t i, HeadActivation activation) {
  if (activation == HeadActivation::kNone) return logits[i];
  if (activation == HeadActivation::kSigmoid) {
    return static_cast<float>(1 / (1 + std::exp(-static_cast<long double>(logits[i]))));
  }
  long double sum = 0;
  const float largest = *std::max_element(logits.begin(), logits.end());
  for (float x : logits) sum += std::exp(static_cast<long double>(x) - largest);
  return static_cast<float>(std::exp(static_cast<long double>(logits[i]) - largest) / sum);
}

// Sorts all of them, stably.
std::vector<ScoredClass> SlowBest(const std::vector<float>& logits, const Head& head, const ClassifyOptions& options) {
  std::vector<ScoredClass> all;
  for (size_t i = 0; i < logits.size(); ++i) {
    const float p = SlowProbability(logits, i, head.activation);
    if (!options.threshold && !head.thresholds.empty() && p < head.thresholds[i]) continue;
    all.push_back({static_cast<int>(i), options.logits ? logits[i] : p});
  }
  std::stable_sort(all.begin(), all.end(),
                   [&](const auto& a, const auto& b) { return logits[a.index] > logits[b.index]; });
  all.resize(std::min(all.size(), static_cast<size_t>(options.top_k)));
  if (options.threshold) std::erase_if(all, [&](const auto& c) { return c.score < *options.threshold; });
  return all;
}

void ExpectSame(const std::vector<float>& logits, const Head& head, const ClassifyOptions& options) {
  const auto fast = Best(logits, head, options), slow = SlowBest(logits, head, options);
  ASSERT_EQ(fast.size(), slow.size());
  for (size_t i = 0; i < fast.size(); ++i) {
    EXPECT_EQ(fast[i].index, slow[i].index) << i;
    EXPECT_NEAR(fast[i].score, slow[i].score, 1e-6 * std::max(1.0f, std::abs(slow[i].score))) << i;
  }
}

// A head of no and yes over one value x: -x and x are the logits.
TEST(BestClasses, OfNoAndYes) {
  const Head head = HeadOf(2, HeadActivation::kSigmoid);
  std::array<float, 2> pair;
  for (const float x : {-3.0f, 0.0f, 0.5f, 2.0f}) {
    const std::vector<float> values = {x};
    const auto best = Best(LogitsOf(head, values, pair), head, {.top_k = 2});
    ASSERT_EQ(best.size(), 2u);
    EXPECT_EQ(best[0].index, x > 0 ? 1 : 0) << x;
    EXPECT_NEAR(best[0].score, 1 / (1 + std::exp(-std::abs(x))), 1e-7) << x;
    EXPECT_NEAR(best[0].score + best[1].score, 1, 1e-7) << x;
  }
  EXPECT_EQ(LogitsOf(HeadOf(1, HeadActivation::kSigmoid), std::vector<float>{4}, pair).size(), 1u);
}

// A probability p that the file made, clipped or not: answered as it is, its logit is the sigmoid's inverse.
TEST(BestClasses, OfAProbability) {
  Head head = HeadOf(1, HeadActivation::kSigmoid);
  head.probability = true;
  std::array<float, 2> own;
  for (const float p : {0.0f, 1e-30f, 0.25f, 0.5f, 0.999f, 1.0f}) {
    const std::vector<float> values = {p};
    head.classes = 1;
    const auto logit = LogitsOf(head, values, own);
    ASSERT_EQ(logit.size(), 1u);
    EXPECT_TRUE(std::isfinite(logit[0])) << p;
    EXPECT_NEAR(Best(logit, head, {.top_k = 1})[0].score, p, 1e-6 * p) << p;
    head.classes = 2;
    const auto best = Best(LogitsOf(head, values, own), head, {.top_k = 2});
    ASSERT_EQ(best.size(), 2u);
    EXPECT_EQ(best[0].index, p > 0.5f ? 1 : 0) << p;
    EXPECT_NEAR(best[0].score, std::max(p, 1 - p), 1e-6) << p;
  }
}

TEST(ScoresTest, AgreesWithTheDefinition) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 4);
  std::uniform_int_distribution<int> coarse(-3, 3);
  constexpr auto kActivations = EnumValues<HeadActivation>();
  for (int round = 0; round < 500; ++round) {
    std::vector<float> logits(1 + random() % 40);
    // Every second round has many ties.
    for (float& x : logits) x = round % 2 == 0 ? normal(random) : static_cast<float>(coarse(random));
    ClassifyOptions options;
    options.top_k = 1 + static_cast<int>(random() % logits.size());
    options.logits = random() % 2 == 0;
    if (random() % 2 == 0) options.threshold = options.logits ? 0.5f : 0.1f;
    const auto activation = kActivations[random() % kActivations.size()];
    std::vector<float> thresholds;
    if (random() % 3 == 0) {
      for (size_t i = 0; i < logits.size(); ++i) thresholds.push_back(0.03f * static_cast<float>(random() % 40));
    }
    SCOPED_TRACE(testing::Message() << "round " << round);
    ExpectSame(logits, HeadOf(logits.size(), activation, thresholds), options);
  }
}

TEST(ScoresTest, TiesGoToTheLowerIndex) {
  const auto best = Best({1, 2, 2, 2, 1}, {.top_k = 5, .logits = true});
  std::vector<int> order;
  for (const auto& c : best) order.push_back(c.index);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 0, 4}));
}

TEST(ScoresTest, LargeLogitsDoNotOverflow) {
  const auto best = Best({3e38f, -3e38f, 2.9e38f}, {.top_k = 3});
  EXPECT_EQ(best[0].score, 1.0f);
  EXPECT_EQ(best[1].score, 0.0f);
  EXPECT_EQ(best[2].score, 0.0f);
}

TEST(ScoresTest, ThresholdIsInclusiveAndOfTheScoresAskedFor) {
  const std::vector<float> two = {0, 0};
  EXPECT_EQ(Best(two, {.top_k = 2, .threshold = 0.5f}).size(), 2u);
  EXPECT_EQ(Best(two, {.top_k = 2, .threshold = 0.500001f}).size(), 0u);
  EXPECT_EQ(Best(two, {.top_k = 2, .logits = true, .threshold = 0.1f}).size(), 0u);
}

TEST(ScoresTest, ProbabilitiesAreOverAllClassesWhateverK) {
  EXPECT_FLOAT_EQ(Best({0, 0, 0, 0}, {.top_k = 1})[0].score, 0.25f);
}

TEST(ScoresTest, AHeadsThresholdsAreInclusiveAndOfProbabilities) {
  const std::vector<float> logits = {0, 2, -2, 0};
  const Head head = HeadOf(4, HeadActivation::kSigmoid, {0.5f, 0.9f, 0.1f, 0.500001f});
  for (const bool raw : {false, true}) {
    const auto best = Best(logits, head, {.top_k = 4, .logits = raw});
    ASSERT_EQ(best.size(), 2u) << raw;
    EXPECT_EQ(best[0].index, 0) << raw;
    EXPECT_EQ(best[1].index, 2) << raw;
    EXPECT_EQ(best[0].score, raw ? 0.0f : 0.5f);
  }
  EXPECT_EQ(Best(logits, head, {.top_k = 1}).size(), 1u) << "the best of those that count";
  EXPECT_EQ(Best(logits, head, {.top_k = 4, .threshold = 0}).size(), 4u) << "the request's goes before";
}

TEST(ScoresTest, SigmoidsOfLargeLogitsAreNumbers) {
  const auto best = Best(std::vector<float>{-3e38f, 3e38f}, HeadOf(2, HeadActivation::kSigmoid), {.top_k = 2});
  EXPECT_EQ(best[0].score, 1.0f);
  EXPECT_EQ(best[1].score, 0.0f);
}

TEST(ScoresTest, ConfidenceIsTheLargestProbability) {
  EXPECT_NEAR(Probabilities({0, 1, 0}, HeadActivation::kSoftmax).largest(), 0.57611688, 1e-7);
  EXPECT_NEAR(Probabilities({0, 1, 0}, HeadActivation::kSigmoid).largest(), 0.73105858, 1e-7);
}

TEST(ScoresTest, EmbeddingIsCopiedOrScaledToLengthOne) {
  EXPECT_EQ(Embedding({3, 4}, 2, false), (std::vector<float>{3, 4}));
  EXPECT_EQ(Embedding({3, 4}, 2, true), (std::vector<float>{0.6f, 0.8f}));
  EXPECT_EQ(Embedding({0, 0}, 2, true), (std::vector<float>{0, 0}));
  const auto huge = Embedding({3e38f, 4e37f}, 2, true);
  EXPECT_NEAR(std::hypot(huge[0], huge[1]), 1, 1e-6);
}

TEST(ScoresTest, EmbeddingIsCutBeforeItIsScaled) {
  EXPECT_EQ(Embedding({3, 4, 5}, 2, false), (std::vector<float>{3, 4}));
  EXPECT_EQ(Embedding({3, 4, 5}, 2, true), (std::vector<float>{0.6f, 0.8f}));
}

}  // namespace
}  // namespace resnetd
