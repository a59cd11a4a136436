// Nodes that no output is computed from need not be folded, fused or compiled.
#include "engine/graph/outputs.h"
#include "engine/passes/passes.h"

namespace resnetd::passes {

absl::Status RemoveDead(graph::Graph& graph) {
  graph::RemoveDeadNodes(graph);
  return absl::OkStatus();
}

}  // namespace resnetd::passes
