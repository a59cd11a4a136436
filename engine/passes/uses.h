#ifndef RESNETD_ENGINE_PASSES_USES_H_
#define RESNETD_ENGINE_PASSES_USES_H_

#include <optional>
#include <variant>
#include <vector>

#include "engine/graph/graph.h"

// Passes ask who reads a value, and which operator yields it.
namespace resnetd::passes {

// Knows who reads and who yields each value, at the time of construction but for SetProducer(). An output of the graph
// counts as a reader.
class Uses {
 public:
  explicit Uses(const graph::Graph& graph);

  int readers(graph::ValueId id) const { return readers_[static_cast<size_t>(id)]; }
  // Index of the node that yields the value; -1 for the input.
  int producer(graph::ValueId id) const { return producer_[static_cast<size_t>(id)]; }
  // Says that this node yields the value now.
  void SetProducer(graph::ValueId id, int node) { producer_[static_cast<size_t>(id)] = node; }

 private:
  std::vector<int> readers_, producer_;
};

// The node that yields `id` for one reader only; null if there is none.
graph::Node* SoleProducer(graph::Graph& graph, const Uses& uses, graph::ValueId id);

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

#endif  // RESNETD_ENGINE_PASSES_USES_H_
