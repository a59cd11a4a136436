#ifndef RESNETD_ENGINE_PASSES_WEIGHTS_H_
#define RESNETD_ENGINE_PASSES_WEIGHTS_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/bytes.h"
#include "engine/graph/graph.h"

// Looks at the learnt values of a whole graph, before and after the passes.
namespace resnetd::passes {

// Whether all learnt values are finite; bounds of a Clip may be what they like. INVALID_ARGUMENT names the node, the
// tensor and the first value that is not. After the other passes, so that what folding made is looked at too; before
// them it tells which tensor of the file was at fault.
absl::Status CheckWeights(const graph::Graph& graph);

// Copies the weights that are views into a file of which little else is needed any more, so that nothing in the graph
// keeps it. After the other passes: those that fold leave values of their own. True if the graph keeps no file.
bool LeaveFiles(absl::Span<const Bytes> files, graph::Graph& graph);

}  // namespace resnetd::passes

#endif  // RESNETD_ENGINE_PASSES_WEIGHTS_H_
