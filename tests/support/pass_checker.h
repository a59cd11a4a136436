#ifndef RESNETD_TESTS_SUPPORT_PASS_CHECKER_H_
#define RESNETD_TESTS_SUPPORT_PASS_CHECKER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/graph/graph.h"
#include "tests/reference/graph_builder.h"

namespace resnetd::passes {

// "Conv+Add+Relu, Reshape": the operators in order, and what is fused into them.
std::string Summary(const graph::Graph& graph);

// A row of a table: what a graph becomes.
struct PassCase {
  const char* what;
  std::function<graph::Graph(reference::GraphBuilder&)> build;  // on an image of 3x6x5
  const char* expected;                                         // Summary() after the pass
};

// Runs the pass and expects a valid graph that computes the same, by the reference executor.
void CheckPass(const std::vector<PassCase>& cases, const std::function<absl::Status(graph::Graph&)>& run);
// The same for any graph, whatever it becomes; `tolerance` is of the largest |value| of each output.
void ExpectComputesTheSame(const graph::Graph& before, const graph::Graph& after, double tolerance,
                           const std::string& what);

// A 3x3 convolution that keeps the size; a 1x1 without bias.
graph::ValueId Conv(reference::GraphBuilder& b, graph::ValueId src, int64_t channels);
graph::ValueId ConvWithoutBias(reference::GraphBuilder& b, graph::ValueId src, int64_t channels);
graph::ValueId Norm(reference::GraphBuilder& b, graph::ValueId src);
graph::ValueId Relu(reference::GraphBuilder& b, graph::ValueId src);
graph::ValueId Add(reference::GraphBuilder& b, graph::ValueId x, graph::ValueId y);
graph::ValueId Mul(reference::GraphBuilder& b, graph::ValueId x, graph::ValueId y);
graph::ValueId Flatten(reference::GraphBuilder& b, graph::ValueId src);
// src op constant of one value.
graph::ValueId WithScalar(reference::GraphBuilder& b, graph::ValueId src, graph::BinaryKind kind, float value);

}  // namespace resnetd::passes

#endif  // RESNETD_TESTS_SUPPORT_PASS_CHECKER_H_
