#ifndef RESNETD_ENGINE_PASSES_WEIGHTS_OF_H_
#define RESNETD_ENGINE_PASSES_WEIGHTS_OF_H_

#include <type_traits>
#include <variant>

#include "engine/graph/graph.h"

namespace resnetd::passes {

// Calls visit(WeightsRef&) for all learnt values of a node: its operator's, then those of its post-ops. The reference
// is to const if `Node` is.
template <typename Node, typename Visit>
void VisitWeights(Node& node, const Visit& visit) {
  const auto see = [&](auto&... weights) { ((weights != nullptr ? visit(weights) : void()), ...); };
  const auto see_those_of = [&](auto& op) {
    using Op = std::remove_cvref_t<decltype(op)>;
    if constexpr (std::is_same_v<Op, graph::Conv> || std::is_same_v<Op, graph::Gemm>) see(op.weights, op.bias);
    if constexpr (std::is_same_v<Op, graph::BatchNorm>) see(op.scale, op.shift, op.mean, op.variance);
    if constexpr (std::is_same_v<Op, graph::GroupNorm>) see(op.scale, op.shift);
    if constexpr (std::is_same_v<Op, graph::PRelu>) see(op.slope);
    if constexpr (std::is_same_v<Op, graph::Binary>) see(op.constant);
  };
  std::visit(see_those_of, node.op);
  for (auto& post_op : node.post_ops) std::visit(see_those_of, post_op);
}

}  // namespace resnetd::passes

#endif  // RESNETD_ENGINE_PASSES_WEIGHTS_OF_H_
