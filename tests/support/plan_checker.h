#ifndef RESNETD_TESTS_SUPPORT_PLAN_CHECKER_H_
#define RESNETD_TESTS_SUPPORT_PLAN_CHECKER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/engine.h"
#include "engine/graph/graph.h"
#include "engine/onednn/split.h"
#include "tests/reference/graph_builder.h"
#include "tests/support/session_runner.h"

namespace resnetd::onednn {

// Compile() with the info that the graph implies. Batch norms are split before, as the compiler expects.
absl::StatusOr<std::shared_ptr<const Engine>> CompileFor(const graph::Graph& graph, std::vector<int> batches,
                                                         int threads, const Splitter& split = ChooseSplit);

// Runs 1, 2, 3 and 5 images, on plans of 1, 2 and 5, and expects what the reference executor says of each. `what` is
// printed where they differ.
void ExpectEqualsReference(const graph::Graph& graph, const std::string& what, int threads = 1);
// The same of an engine with these plans.
void ExpectEqualsReference(const graph::Graph& graph, std::shared_ptr<const Engine> engine, const std::string& what);

// Runs 1, 3 and 32 images by 1, 2, 3 and 16 threads. `exactly`: an image has the same bits each time.
void ExpectEqualsReferenceByThreads(const graph::Graph& graph, const std::string& what, bool exactly);

using Answer = std::vector<std::vector<float>>;  // by output

// The run's results for image `i`; nothing for outputs that nobody wanted.
Answer AnswerOf(const SessionRunner& runner, int i);
// Bit for bit: -0 is not 0, a NaN equals itself.
bool SameBytes(const std::vector<float>& a, const std::vector<float>& b);

// "Conv+Add+Relu, MaxPool": the steps of the plan for one image, what is fused into each behind it. Reorders are left
// out: which there are depends on the instruction set.
std::string Steps(const Engine& engine);

// A row of a table: a graph and the steps it is to become.
struct PlanCase {
  std::string what;
  graph::Dims image;
  std::function<graph::Graph(reference::GraphBuilder&)> build;
  std::string steps;
  // Why an implementation of the library's that is not made for the processor ("ref", "gemm") is good enough here;
  // empty: it is not.
  std::string slow_because = "";
};

// Each case: its steps, their implementations, and that it computes what the reference does.
void CheckPlans(const std::vector<PlanCase>& cases);

// Applies the operator under test to a value.
using Apply = std::function<graph::ValueId(reference::GraphBuilder&, graph::ValueId)>;

// The operator on a map of these dims as it comes from outside, in planes, and from a convolution, in pixels.
std::vector<PlanCase> OnBothLayouts(const std::string& what, graph::Dims map, const Apply& apply,
                                    const std::string& steps, const std::string& slow_because = "");
// The operator on a value of any dims.
PlanCase OnDims(const std::string& what, graph::Dims dims, const Apply& apply, const std::string& steps,
                const std::string& slow_because = "");

// A convolution with padding that keeps the size, but for the stride.
graph::ValueId AddConv(reference::GraphBuilder& b, graph::ValueId src, int64_t channels, int64_t kernel = 3,
                       int64_t stride = 1, graph::PostOps post_ops = {},
                       absl::InlinedVector<graph::ValueId, 2> operands = {});

// One of each kind, with usual parameters.
std::vector<graph::Activation> AllActivations();
// Roots and powers want values above 0, and so do divisors: `src` clipped to 0.1 .. 2.
bool NeedsPositive(const graph::Activation& activation);
graph::ValueId AddPositive(reference::GraphBuilder& b, graph::ValueId src);

template <typename Op>
Apply One(Op op) {
  return [op](reference::GraphBuilder& b, graph::ValueId src) { return b.Add(op, {src}); };
}

}  // namespace resnetd::onednn

#endif  // RESNETD_TESTS_SUPPORT_PLAN_CHECKER_H_
