#ifndef RESNETD_ENGINE_PASSES_MATCH_H_
#define RESNETD_ENGINE_PASSES_MATCH_H_

#include <optional>

#include "engine/graph/graph.h"
#include "engine/passes/uses.h"

namespace resnetd::passes {

// Looks backwards from values for operators of a kind. The graph must not change under it but for nodes' operators.
class Match {
 public:
  Match(const graph::Graph& graph, const Uses& uses) : graph_(graph), uses_(uses) {}

  // The node that yields the value; null for the image.
  const graph::Node* Producer(graph::ValueId id) const {
    return uses_.producer(id) < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(uses_.producer(id))];
  }

  // The operator of a node without post-ops that yields the value, if it is an Op; null otherwise.
  template <typename Op>
  const Op* Get(graph::ValueId id) const {
    const graph::Node* node = Producer(id);
    return node != nullptr && node->post_ops.empty() ? std::get_if<Op>(&node->op) : nullptr;
  }

  // Returns the argument of that function which the value is, if it is such a function.
  std::optional<graph::ValueId> Activation(graph::ValueId id, graph::ActivationKind kind) const;
  // x of `x op c` (or `c op x` where that is the same) with a constant of one value, within 1e-4 of `value`.
  std::optional<graph::ValueId> WithScalar(graph::ValueId id, graph::BinaryKind kind, float value) const;

 private:
  const graph::Graph& graph_;
  const Uses& uses_;
};

}  // namespace resnetd::passes

#endif  // RESNETD_ENGINE_PASSES_MATCH_H_
