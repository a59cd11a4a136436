#ifndef RESNETD_TESTS_REFERENCE_EXECUTOR_H_
#define RESNETD_TESTS_REFERENCE_EXECUTOR_H_

#include <vector>

#include "absl/types/span.h"
#include "engine/graph/graph.h"

// Computes what a graph means: naive loops over one image, sums in double, slow and obviously correct. Tests compare
// every pass and every lowering with it.
namespace resnetd::reference {

// Every value of the graph for one image, by ValueId, in the order C, H, W; values no node yields are empty. `image`
// has the input's dims. The graph must be valid.
std::vector<std::vector<float>> Run(const graph::Graph& graph, absl::Span<const float> image);

}  // namespace resnetd::reference

#endif  // RESNETD_TESTS_REFERENCE_EXECUTOR_H_
