#include "engine/passes/uses.h"

namespace resnetd::passes {

Uses::Uses(const graph::Graph& graph) : readers_(graph.values.size(), 0), producer_(graph.values.size(), -1) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (graph::ValueId id : graph.nodes[i].inputs) ++readers_[static_cast<size_t>(id)];
    producer_[static_cast<size_t>(graph.nodes[i].output)] = static_cast<int>(i);
  }
  for (const graph::Output& output : graph.outputs) ++readers_[static_cast<size_t>(output.value)];
}

graph::Node* SoleProducer(graph::Graph& graph, const Uses& uses, graph::ValueId id) {
  return uses.producer(id) >= 0 && uses.readers(id) == 1 ? &graph.nodes[uses.producer(id)] : nullptr;
}

}  // namespace resnetd::passes
