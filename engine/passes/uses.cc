#include "engine/passes/uses.h"

#include <cmath>

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

std::optional<graph::ValueId> Match::Activation(graph::ValueId id, graph::ActivationKind kind) const {
  const auto* activation = Get<graph::Activation>(id);
  if (activation == nullptr || activation->kind != kind) return std::nullopt;
  return Producer(id)->inputs[0];
}

std::optional<graph::ValueId> Match::WithScalar(graph::ValueId id, graph::BinaryKind kind, float value) const {
  const auto* binary = Get<graph::Binary>(id);
  if (binary == nullptr || binary->kind != kind || binary->constant == nullptr) return std::nullopt;
  if (binary->constant->data.size() != 1 || (binary->reversed && !graph::Commutes(kind))) return std::nullopt;
  if (std::abs(binary->constant->data.front() - value) > 1e-4f * std::abs(value)) return std::nullopt;
  return Producer(id)->inputs[0];
}

}  // namespace resnetd::passes
