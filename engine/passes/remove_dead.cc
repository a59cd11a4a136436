// Keeps the nodes from which an output can be reached: one walk backwards over the topological order.
#include <vector>

#include "engine/passes/passes.h"

namespace resnetd::passes {

absl::Status RemoveDead(graph::Graph& graph) {
  std::vector<bool> alive(graph.values.size(), false);
  for (const graph::Output& output : graph.outputs) alive[static_cast<size_t>(output.value)] = true;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (!alive[static_cast<size_t>(node->output)]) continue;
    for (graph::ValueId id : node->inputs) alive[static_cast<size_t>(id)] = true;
  }
  std::erase_if(graph.nodes, [&](const graph::Node& node) { return !alive[static_cast<size_t>(node.output)]; });
  return absl::OkStatus();
}

}  // namespace resnetd::passes
