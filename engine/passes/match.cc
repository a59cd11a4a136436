#include "engine/passes/match.h"

#include <cmath>

namespace resnetd::passes {

std::optional<graph::ValueId> Match::Activation(graph::ValueId id, graph::ActivationKind kind) const {
  const auto* activation = Get<graph::Activation>(id);
  if (activation == nullptr || activation->kind != kind) return std::nullopt;
  return Producer(id)->inputs[0];
}

std::optional<graph::ValueId> Match::WithScalar(graph::ValueId id, graph::BinaryKind kind, float value) const {
  const auto* binary = Get<graph::Binary>(id);
  if (binary == nullptr || binary->kind != kind || binary->constant == nullptr) return std::nullopt;
  const bool commutes = kind == graph::BinaryKind::kAdd || kind == graph::BinaryKind::kMul;
  if (binary->constant->data->size() != 1 || (binary->reversed && !commutes)) return std::nullopt;
  if (std::abs(binary->constant->data->front() - value) > 1e-4f * std::abs(value)) return std::nullopt;
  return Producer(id)->inputs[0];
}

}  // namespace resnetd::passes
