#ifndef RESNETD_ENGINE_GRAPH_OUTPUT_TAIL_H_
#define RESNETD_ENGINE_GRAPH_OUTPUT_TAIL_H_

#include <optional>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/graph/output_range.h"

namespace resnetd::graph {

// The node that yields each value the graph has when this is made. Nodes may be appended to it later.
class Producers {
 public:
  explicit Producers(const Graph& graph);
  // Finds the node that yields a value, by its place among the nodes; nullopt for the input and what nothing yields.
  std::optional<size_t> IndexOf(ValueId id) const {
    const int node = by_value_[static_cast<size_t>(id)];
    return node < 0 ? std::nullopt : std::optional<size_t>(node);
  }
  // Null for those. Valid until a node is appended.
  const Node* Find(ValueId id) const {
    const std::optional<size_t> node = IndexOf(id);
    return node ? &graph_.nodes[*node] : nullptr;
  }

 private:
  const Graph& graph_;
  std::vector<int> by_value_;
};

// Describes how a network comes to an end at one output, read backwards from it.
struct Tail {
  // The function that made probabilities of scores. If it was `last`, the output is that of `scores`; otherwise the
  // output holds probabilities, or what became of them, which cannot be taken back to scores.
  HeadActivation activation = HeadActivation::kNone;
  bool last = false;
  ValueId scores{};  // the output's value, before the activation if that was last
  // The last Gemm or Conv, by its place among the nodes, if only what is told below lies between it and the scores.
  std::optional<size_t> layer = {};
  bool normalised = false;      // by its length, by a batch's or group's statistics, or by channel
  bool bent = false;            // by a ReLU, a PReLU or another function that scores of classes do not pass
  bool pooled = false;          // averaged over all pixels
  bool relu_of_pixels = false;  // behind a ReLU that each pixel passed before they were averaged
  bool flattened = false;       // a map of several pixels became a vector
};

// The activation is that of a network only where a layer's results come to it: otherwise it may be a gate or a map of
// attention, an operator like others.
Tail TailOf(const Graph& graph, const Producers& producers, ValueId output);

// Whether the layer's results can be scores of classes by what lies behind it: a Gemm; a 1x1 convolution of one pixel,
// or of a map that is averaged then, maybe behind a ReLU (as in Network in Network, Lin et al., 2013, and SqueezeNet).
// The latter has a bias: a backbone that ends in such a convolution has a batch normalisation in its place.
bool CanClassify(const Graph& graph, const Tail& tail);

// Whether what `layer` reads was pooled over all pixels: neither the pixels of a larger map, nor what a convolution as
// large as the map made of them.
bool ReadsPooled(const Graph& graph, const Producers& producers, const Node& layer);

// A vector, or a map of which one axis holds all its elements.
bool IsVector(const Dims& dims);

// The value that holds the same elements in the same order before it was given other dims, as a vector too.
ValueId BeforeReshapes(const Graph& graph, const Producers& producers, ValueId vector);

}  // namespace resnetd::graph

#endif  // RESNETD_ENGINE_GRAPH_OUTPUT_TAIL_H_
