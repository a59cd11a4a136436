#ifndef RESNETD_TESTS_UNIT_PLAN_CHECKER_H_
#define RESNETD_TESTS_UNIT_PLAN_CHECKER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/engine.h"
#include "engine/graph/graph.h"

namespace resnetd::onednn {

// Compile() with the info that the graph implies.
absl::StatusOr<std::shared_ptr<const Engine>> CompileFor(const graph::Graph& graph, std::vector<int> batches,
                                                         int threads);

// Runs 1, 2, 3 and 5 images, on plans of 1, 2 and 5, and expects what the reference executor says of each. `what` is
// printed where they differ.
void ExpectEqualsReference(const graph::Graph& graph, const std::string& what, int threads = 1);

}  // namespace resnetd::onednn

#endif  // RESNETD_TESTS_UNIT_PLAN_CHECKER_H_
