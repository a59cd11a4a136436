#ifndef RESNETD_SERVER_EDGE_SCORES_H_
#define RESNETD_SERVER_EDGE_SCORES_H_

#include <vector>

#include "absl/types/span.h"
#include "server/edge/request.h"

// From what the network yields to what a client asked for.
namespace resnetd::server {

// The best classes, best first; of equal scores the lower index first. `logits` is not empty.
std::vector<ScoredClass> BestClasses(absl::Span<const float> logits, const ClassifyOptions& options);

// A copy, of length 1 if asked for. A zero vector stays zero.
std::vector<float> Embedding(absl::Span<const float> features, const EmbedOptions& options);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_SCORES_H_
