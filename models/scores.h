#ifndef RESNETD_MODELS_SCORES_H_
#define RESNETD_MODELS_SCORES_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "server/edge/request.h"

// From what the network yields to what a client asked for.
namespace resnetd::server {

// The best classes, best first; of equal scores the lower index first. `logits`, one a class of the head, is not empty.
// Without a threshold in the options, classes whose probability is below the head's own are left out.
std::vector<ScoredClass> BestClasses(absl::Span<const float> logits, const Head& head, const ClassifyOptions& options);

// The largest probability.
double Confidence(absl::Span<const float> logits, Activation activation);

// A copy of the first values, of length 1 if asked for. A zero vector stays zero. `dimensions`: at most values.size().
std::vector<float> Embedding(absl::Span<const float> values, size_t dimensions, bool l2_normalize);

}  // namespace resnetd::server

#endif  // RESNETD_MODELS_SCORES_H_
