// softmax(x)[i] = exp(x[i] - max x) / sum_j exp(x[j] - max x): subtracting the maximum keeps exp() from overflowing,
// and the sum is kept in double. sigmoid(x)[i] = 1 / (1 + exp(-x[i])). Both keep the order, so the best k are chosen on
// the logits and only they are scored.
#include "models/model.h"

#include <algorithm>
#include <cmath>

namespace resnetd {
namespace {

// The inverse of the sigmoid. Behind the bounds a sigmoid is 0 or 1 in single precision, as `p` is there.
float Logit(float p) {
  constexpr double kLargest = 104;
  const double x = std::log(static_cast<double>(p)) - std::log1p(-static_cast<double>(p));
  return static_cast<float>(std::clamp(x, -kLargest, kLargest));
}

}  // namespace

Probabilities::Probabilities(absl::Span<const float> logits, HeadActivation activation)
    : logits_(logits), activation_(activation), largest_logit_(*std::max_element(logits.begin(), logits.end())) {
  if (activation != HeadActivation::kSoftmax) return;
  for (const float x : logits) sum_ += std::exp(x - largest_logit_);
}

double Probabilities::operator[](size_t i) const {
  return Of(logits_[i]);
}

double Probabilities::largest() const {
  return Of(largest_logit_);
}

double Probabilities::Of(double x) const {
  switch (activation_) {
    case HeadActivation::kSoftmax:
      return std::exp(x - largest_logit_) / sum_;
    case HeadActivation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case HeadActivation::kNone:
      break;
  }
  return x;
}

absl::Span<const float> LogitsOf(const Head& head, absl::Span<const float> values, std::array<float, 2>& own) {
  const bool pair = head.classes == 2 && values.size() == 1;
  if ((!pair && !head.probability) || values.empty()) return values;
  const float x = head.probability ? Logit(values[0]) : values[0];
  own = {pair ? -x : x, x};
  return absl::MakeConstSpan(own).first(pair ? 2 : 1);
}

std::vector<ScoredClass> BestClasses(const Probabilities& probabilities, const Head& head,
                                     const ClassifyOptions& options) {
  const absl::Span<const float> logits = probabilities.logits();
  const bool by_head = !options.threshold && !head.thresholds.empty();
  std::vector<int> order;
  order.reserve(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!by_head || static_cast<float>(probabilities[i]) >= head.thresholds[i]) order.push_back(static_cast<int>(i));
  }
  const auto k = std::min(static_cast<size_t>(options.top_k), order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(k), order.end(),
                    [&](int a, int b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });

  std::vector<ScoredClass> best;
  best.reserve(k);
  for (size_t i = 0; i < k; ++i) {
    const auto index = static_cast<size_t>(order[i]);
    const float score = options.logits ? logits[index] : static_cast<float>(probabilities[index]);
    if (options.threshold && score < *options.threshold) break;
    best.push_back({order[i], score});
  }
  return best;
}

std::vector<float> Embedding(absl::Span<const float> values, size_t dimensions, bool l2_normalize) {
  const absl::Span<const float> kept = values.first(dimensions);
  std::vector<float> embedding(kept.begin(), kept.end());
  if (!l2_normalize) return embedding;
  double squares = 0;
  for (float x : embedding) squares += static_cast<double>(x) * x;
  if (squares == 0) return embedding;
  const double scale = 1 / std::sqrt(squares);
  for (float& x : embedding) x = static_cast<float>(x * scale);
  return embedding;
}

}  // namespace resnetd
