#ifndef RESNETD_TESTS_REFERENCE_GRAPH_BUILDER_H_
#define RESNETD_TESTS_REFERENCE_GRAPH_BUILDER_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "engine/graph/graph.h"

namespace resnetd::reference {

// Graphs with seeded random weights for tests, a line a node. Nodes and values are called "n0", "n1", ...
class GraphBuilder {
 public:
  explicit GraphBuilder(graph::Dims image, uint32_t seed = 1);

  graph::ValueId image() const { return graph_.input; }
  const graph::Dims& dims(graph::ValueId id) const { return graph_.value(id).dims; }

  // Appends a node and infers its dims; a node that makes no sense aborts.
  graph::ValueId Add(graph::Op op, absl::InlinedVector<graph::ValueId, 2> inputs, graph::PostOps post_ops = {});

  // Values uniform in [low, high).
  graph::WeightsRef Random(graph::Dims dims, float low, float high);
  // Adds a layer with a bias; the weights keep the variance of what flows through.
  graph::Conv Conv(int64_t out, int64_t in, graph::Size2 kernel);
  graph::BatchNorm BatchNorm(int64_t channels);
  graph::Gemm Gemm(int64_t out, int64_t in);

  // The valid graph; `embedding` is what the classifier, if there is one, reads. Both must be vectors.
  graph::Graph Finish(graph::ValueId logits, graph::ValueId embedding);
  // A graph without a classifier, whose output is `id`, flattened.
  graph::Graph FinishFlat(graph::ValueId id);

 private:
  graph::Graph graph_;
  std::mt19937 rng_;
};

// Uniform in [-2, 2), in the order C, H, W.
std::vector<float> RandomImage(const graph::Dims& dims, uint32_t seed);

// The largest |value|, and the largest |difference| of two of equal size.
double MaxAbs(absl::Span<const float> values);
double MaxDifference(absl::Span<const float> a, absl::Span<const float> b);

}  // namespace resnetd::reference

#endif  // RESNETD_TESTS_REFERENCE_GRAPH_BUILDER_H_
