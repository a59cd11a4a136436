// softmax(x)[i] = exp(x[i] - max x) / sum_j exp(x[j] - max x): subtracting the maximum keeps exp() from overflowing,
// and the sum is kept in double. Softmax keeps the order, so the best k are chosen on the logits and only they are
// scored.
#include "server/edge/scores.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace resnetd::server {

std::vector<ScoredClass> BestClasses(absl::Span<const float> logits, const ClassifyOptions& options) {
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto k = std::min(static_cast<size_t>(options.top_k), order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(k), order.end(),
                    [&](int a, int b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });

  const double largest = logits[order[0]];
  double sum = 0;
  if (!options.logits) {
    for (float x : logits) sum += std::exp(x - largest);
  }
  std::vector<ScoredClass> best;
  best.reserve(k);
  for (size_t i = 0; i < k; ++i) {
    const float x = logits[order[i]];
    const float score = options.logits ? x : static_cast<float>(std::exp(x - largest) / sum);
    if (options.threshold && score < *options.threshold) break;
    best.push_back({order[i], score});
  }
  return best;
}

std::vector<float> Embedding(absl::Span<const float> features, const EmbedOptions& options) {
  std::vector<float> embedding(features.begin(), features.end());
  if (!options.l2_normalize) return embedding;
  double squares = 0;
  for (float x : embedding) squares += static_cast<double>(x) * x;
  if (squares == 0) return embedding;
  const double scale = 1 / std::sqrt(squares);
  for (float& x : embedding) x = static_cast<float>(x * scale);
  return embedding;
}

}  // namespace resnetd::server
