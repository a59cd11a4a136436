#ifndef RESNETD_ENGINE_GRAPH_OUTPUT_RANGE_H_
#define RESNETD_ENGINE_GRAPH_OUTPUT_RANGE_H_

#include <limits>

#include "engine/graph/graph.h"

namespace resnetd::graph {

class Producers;

// The interval in which a tensor's values lie, as far as its operators tell without the weights.
struct Range {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  // The function that made them, if nothing scaled them since: clipped, averaged over pixels, taken from 1, put behind
  // one another or given other dims they are probabilities still. kSigmoid stands for functions like it too.
  HeadActivation by = HeadActivation::kNone;

  bool holds_probabilities() const;
};

Range RangeOf(const Graph& graph, const Producers& producers, ValueId value);

// Whether the vector was divided by its own length, so that its length is 1, or 0 where it is zeros. Of a graph whose
// passes have recognised that.
bool HasUnitLength(const Graph& graph, ValueId vector);

// The node that yields exp(x) where `node` yields exp(x) / sum of exp(x), a softmax in pieces; null if it does not.
const Node* ExpOfSoftmax(const Producers& producers, const Node& node);

}  // namespace resnetd::graph

#endif  // RESNETD_ENGINE_GRAPH_OUTPUT_RANGE_H_
