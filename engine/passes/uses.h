#ifndef RESNETD_ENGINE_PASSES_USES_H_
#define RESNETD_ENGINE_PASSES_USES_H_

#include <vector>

#include "engine/graph/graph.h"

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

}  // namespace resnetd::passes

#endif  // RESNETD_ENGINE_PASSES_USES_H_
