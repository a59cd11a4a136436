#ifndef RESNETD_ENGINE_PASSES_CHECK_WEIGHTS_H_
#define RESNETD_ENGINE_PASSES_CHECK_WEIGHTS_H_

#include "absl/status/status.h"
#include "engine/graph/graph.h"

namespace resnetd::passes {

// Whether all learnt values are finite; bounds of a Clip may be what they like. INVALID_ARGUMENT names the node, the
// tensor and the first value that is not. After the other passes, so that what folding made is looked at too; before
// them it tells which tensor of the file was at fault.
absl::Status CheckWeights(const graph::Graph& graph);

}  // namespace resnetd::passes

#endif  // RESNETD_ENGINE_PASSES_CHECK_WEIGHTS_H_
