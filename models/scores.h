#ifndef RESNETD_MODELS_SCORES_H_
#define RESNETD_MODELS_SCORES_H_

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "models/model.h"

// Turns what the network yields into what a client asked for.
namespace resnetd {

struct ClassifyOptions {
  int top_k = 5;                     // 1..classes
  bool logits = false;               // else probabilities
  std::optional<float> threshold{};  // of the kind of score asked for, in place of the head's
  size_t head = 0;                   // of the model's heads
};

struct ScoredClass {
  int index = 0;
  float score = 0;
};

// The logits of the head's classes, from its output's values. `own` holds them where they are not these.
absl::Span<const float> LogitsOf(const Head& head, absl::Span<const float> values, std::array<float, 2>& own);

// Logits as probabilities. A view: the logits, at least one, outlive it. A softmax's sum is computed here, once.
class Probabilities {
 public:
  Probabilities(absl::Span<const float> logits, HeadActivation activation);

  absl::Span<const float> logits() const { return logits_; }
  double operator[](size_t i) const;
  double largest() const;

 private:
  double Of(double logit) const;

  const absl::Span<const float> logits_;
  const HeadActivation activation_;
  const double largest_logit_;
  double sum_ = 0;
};

// The best classes, best first; of equal scores the lower index first. `probabilities`: one a class of the head.
// Without a threshold in the options, classes whose probability is below the head's own are left out.
std::vector<ScoredClass> BestClasses(const Probabilities& probabilities, const Head& head,
                                     const ClassifyOptions& options);

// A copy of the first values, of length 1 if asked for. A zero vector stays zero. `dimensions`: at most values.size().
std::vector<float> Embedding(absl::Span<const float> values, size_t dimensions, bool l2_normalize);

}  // namespace resnetd

#endif  // RESNETD_MODELS_SCORES_H_
