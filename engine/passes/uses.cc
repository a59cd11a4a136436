#include "engine/passes/uses.h"

namespace resnetd::passes {

Uses::Uses(const graph::Graph& graph) : readers_(graph.values.size(), 0), producer_(graph.values.size(), -1) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (graph::ValueId id : graph.nodes[i].inputs) ++readers_[static_cast<size_t>(id)];
    producer_[static_cast<size_t>(graph.nodes[i].output)] = static_cast<int>(i);
  }
  for (graph::ValueId id : {graph.logits, graph.embedding}) ++readers_[static_cast<size_t>(id)];
}

graph::Conv* SoleConv(graph::Graph& graph, const Uses& uses, graph::ValueId id) {
  if (uses.producer(id) < 0 || uses.readers(id) != 1) return nullptr;
  graph::Conv* conv = std::get_if<graph::Conv>(&graph.nodes[uses.producer(id)].op);
  return conv != nullptr && !conv->residual && !conv->relu ? conv : nullptr;
}

}  // namespace resnetd::passes
