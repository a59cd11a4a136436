#include "tests/support/pass_checker.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/reference/executor.h"

namespace resnetd::passes {

using graph::Graph;
using graph::ValueId;
using reference::GraphBuilder;

std::string Summary(const Graph& graph) {
  std::string s;
  for (const graph::Node& node : graph.nodes) {
    absl::StrAppend(&s, s.empty() ? "" : ", ", OpName(node.op));
    for (const graph::PostOp& post_op : node.post_ops) {
      absl::StrAppend(&s, "+", std::visit([](const auto& op) { return graph::OpName(op); }, post_op));
    }
  }
  return s;
}

void ExpectComputesTheSame(const Graph& before, const Graph& after, double tolerance, const std::string& what) {
  const absl::Status valid = graph::Validate(after);
  ASSERT_TRUE(valid.ok()) << what << ": " << valid;
  const std::vector<float> image = reference::RandomImage(before.value(before.input).dims, 11);
  const auto was = reference::Run(before, image), is = reference::Run(after, image);
  ASSERT_LE(before.outputs.size(), after.outputs.size()) << what;  // stages come behind
  for (size_t i = 0; i < before.outputs.size(); ++i) {
    EXPECT_EQ(before.outputs[i].name, after.outputs[i].name) << what;
    const auto& expected = was[static_cast<size_t>(before.outputs[i].value)];
    EXPECT_LE(reference::MaxDifference(expected, is[static_cast<size_t>(after.outputs[i].value)]),
              tolerance * reference::MaxAbs(expected))
        << what;
  }
}

void CheckPass(const std::vector<PassCase>& cases, const std::function<absl::Status(Graph&)>& run) {
  for (const PassCase& c : cases) {
    GraphBuilder builder({3, 6, 5});
    const Graph before = c.build(builder);
    Graph after = before;
    const absl::Status status = run(after);
    ASSERT_TRUE(status.ok()) << c.what << ": " << status;
    EXPECT_EQ(Summary(after), c.expected) << c.what;
    ExpectComputesTheSame(before, after, 1e-6, c.what);
    const auto values = reference::Run(before, reference::RandomImage({3, 6, 5}, 11));
    EXPECT_GT(reference::MaxAbs(values[static_cast<size_t>(before.outputs[0].value)]), 0.01) << c.what;
  }
}

ValueId Conv(GraphBuilder& b, ValueId src, int64_t channels) {
  graph::Conv conv = b.Conv(channels, b.dims(src)[0], {3, 3});
  conv.pads = {1, 1, 1, 1};
  return b.Add(conv, {src});
}
ValueId ConvWithoutBias(GraphBuilder& b, ValueId src, int64_t channels) {
  graph::Conv conv = b.Conv(channels, b.dims(src)[0], {1, 1});
  conv.bias = nullptr;
  return b.Add(conv, {src});
}
ValueId Norm(GraphBuilder& b, ValueId src) {
  return b.Add(b.BatchNorm(b.dims(src)[0]), {src});
}
ValueId Relu(GraphBuilder& b, ValueId src) {
  return b.Add(graph::Relu(), {src});
}
ValueId Add(GraphBuilder& b, ValueId x, ValueId y) {
  return b.Add(graph::Add(), {x, y});
}
ValueId Mul(GraphBuilder& b, ValueId x, ValueId y) {
  return b.Add(graph::Binary{graph::BinaryKind::kMul, nullptr}, {x, y});
}
ValueId Flatten(GraphBuilder& b, ValueId src) {
  return b.Add(graph::Flatten(), {src});
}
ValueId WithScalar(GraphBuilder& b, ValueId src, graph::BinaryKind kind, float value) {
  const graph::Dims dims(b.dims(src).size(), 1);
  return b.Add(graph::Binary{kind, b.Random(dims, value, value)}, {src});
}

}  // namespace resnetd::passes
