// Each pass alone and all in order: what the graph becomes, and that it still computes the same.
#include "engine/passes/passes.h"

#include <cmath>
#include <functional>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/reference/executor.h"
#include "tests/reference/graph_builder.h"

namespace resnetd::passes {
namespace {

using graph::Graph;
using graph::ValueId;
using reference::GraphBuilder;

// "Conv+Add+Relu, Reshape": the operators in order, and what is fused into them.
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

struct Case {
  const char* what;
  std::function<Graph(GraphBuilder&)> build;  // on an image of 3x6x5
  const char* expected;
};

void Check(const Case& c, const std::function<absl::Status(Graph&)>& run) {
  GraphBuilder builder({3, 6, 5});
  const Graph before = c.build(builder);
  Graph after = before;
  const absl::Status status = run(after);
  ASSERT_TRUE(status.ok()) << c.what << ": " << status;
  EXPECT_EQ(Summary(after), c.expected) << c.what;
  const absl::Status valid = graph::Validate(after);
  ASSERT_TRUE(valid.ok()) << c.what << ": " << valid;

  const std::vector<float> image = reference::RandomImage({3, 6, 5}, 11);
  const auto was = reference::Run(before, image), is = reference::Run(after, image);
  ASSERT_LE(before.outputs.size(), after.outputs.size());  // stages come behind
  for (size_t i = 0; i < before.outputs.size(); ++i) {
    const auto& expected = was[static_cast<size_t>(before.outputs[i].value)];
    ASSERT_GT(reference::MaxAbs(expected), 0.01) << c.what;
    EXPECT_LE(reference::MaxDifference(expected, is[static_cast<size_t>(after.outputs[i].value)]),
              1e-6 * reference::MaxAbs(expected))
        << c.what;
  }
}

// A convolution that keeps the size; 3x3 with padding.
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
ValueId Flatten(GraphBuilder& b, ValueId src) {
  return b.Add(graph::Flatten(), {src});
}

TEST(FoldAffine, Cases) {
  const std::vector<Case> cases = {
      {"no bias", [](GraphBuilder& b) { return b.FinishFlat(Norm(b, ConvWithoutBias(b, b.image(), 4))); },
       "Conv, Reshape"},
      {"bias", [](GraphBuilder& b) { return b.FinishFlat(Norm(b, Conv(b, b.image(), 4))); }, "Conv, Reshape"},
      {"groups",
       [](GraphBuilder& b) {
         graph::Conv conv = b.Conv(6, 1, {3, 3});
         conv.groups = 3;
         return b.FinishFlat(Norm(b, b.Add(conv, {b.image()})));
       },
       "Conv, Reshape"},
      {"two in a row", [](GraphBuilder& b) { return b.FinishFlat(Norm(b, Norm(b, Conv(b, b.image(), 4)))); },
       "Conv, Reshape"},
      {"the convolution has another reader",
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 4);
         return b.FinishFlat(Add(b, Norm(b, x), x));
       },
       "Conv, BatchNorm, Add, Reshape"},
      {"two convolutions of the same weights",
       [](GraphBuilder& b) {
         const graph::Conv conv = b.Conv(3, 3, {1, 1});
         return b.FinishFlat(Norm(b, b.Add(conv, {Norm(b, b.Add(conv, {b.image()}))})));
       },
       "Conv, BatchNorm, Conv, BatchNorm, Reshape"},
      {"behind a ReLU", [](GraphBuilder& b) { return b.FinishFlat(Norm(b, Relu(b, Conv(b, b.image(), 4)))); },
       "Conv, Relu, BatchNorm, Reshape"},
      {"of the image", [](GraphBuilder& b) { return b.FinishFlat(Norm(b, b.image())); }, "BatchNorm, Reshape"},
      {"the convolution is an output",
       [](GraphBuilder& b) {
         graph::Conv conv = b.Conv(1, 3, {6, 5});
         const ValueId x = b.Add(conv, {b.image()});
         const ValueId y = Norm(b, x);
         Graph g = b.Finish(Flatten(b, y), Flatten(b, y));
         g.outputs.push_back({"x", x});
         return g;
       },
       "Conv, BatchNorm, Reshape, Reshape"},
  };
  for (const Case& c : cases) Check(c, FoldAffine);
}

TEST(FoldAffine, RefusesAVarianceThatIsNone) {
  for (const auto& [variance, epsilon, ok] :
       {std::tuple(-1.0f, 1e-5f, false), {0.0f, 0.0f, false}, {NAN, 1e-5f, false}, {0.0f, 1e-5f, true}}) {
    GraphBuilder b({3, 6, 5});
    graph::BatchNorm norm = b.BatchNorm(4);
    norm.epsilon = epsilon;
    norm.variance = b.Random({4}, variance, variance);
    Graph g = b.FinishFlat(b.Add(norm, {Conv(b, b.image(), 4)}));
    const absl::Status status = FoldAffine(g);
    EXPECT_EQ(status.ok(), ok) << variance;
    if (ok) continue;
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                testing::HasSubstr("node 'n1' (BatchNorm): channel 0: expected variance + epsilon above 0, got "));
  }
}

TEST(FusePostOps, Cases) {
  const std::vector<Case> cases = {
      {"identity, branch first", [](GraphBuilder& b) { return b.FinishFlat(Add(b, Conv(b, b.image(), 3), b.image())); },
       "Conv+Add, Reshape"},
      {"identity, branch second",
       [](GraphBuilder& b) { return b.FinishFlat(Add(b, b.image(), Conv(b, b.image(), 3))); }, "Conv+Add, Reshape"},
      {"projection: the longer way ends the branch",
       [](GraphBuilder& b) {
         const ValueId branch = Conv(b, Relu(b, Conv(b, b.image(), 4)), 4);
         return b.FinishFlat(Add(b, branch, ConvWithoutBias(b, b.image(), 4)));
       },
       "Conv+Relu, Conv, Conv+Add, Reshape"},
      {"projection comes first",
       [](GraphBuilder& b) {
         const ValueId projection = ConvWithoutBias(b, b.image(), 4);
         const ValueId branch = Conv(b, Relu(b, Conv(b, b.image(), 4)), 4);
         return b.FinishFlat(Add(b, projection, branch));
       },
       "Conv, Conv+Relu, Conv+Add, Reshape"},
      {"both sides are the same",
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 3);
         return b.FinishFlat(Add(b, x, x));
       },
       "Conv, Add, Reshape"},
      {"no convolution", [](GraphBuilder& b) { return b.FinishFlat(Add(b, Relu(b, b.image()), b.image())); },
       "Relu, Add, Reshape"},
      {"the branch has another reader",
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 3);
         return b.FinishFlat(Add(b, Add(b, x, b.image()), x));
       },
       "Conv, Add+Add, Reshape"},
      {"a chain of two blocks",
       [](GraphBuilder& b) {
         const ValueId x = Add(b, Conv(b, b.image(), 3), b.image());
         return b.FinishFlat(Add(b, Conv(b, x, 3), x));
       },
       "Conv+Add, Conv+Add, Reshape"},
      {"the convolution has its residual already",
       [](GraphBuilder& b) {
         const ValueId x = Add(b, Conv(b, b.image(), 3), b.image());
         return b.FinishFlat(Add(b, x, b.image()));
       },
       "Conv+Add+Add, Reshape"},
  };
  for (const Case& c : cases) Check(c, FusePostOps);
}

TEST(FusePostOps, Activations) {
  const std::vector<Case> cases = {
      {"conv", [](GraphBuilder& b) { return b.FinishFlat(Relu(b, Conv(b, b.image(), 4))); }, "Conv+Relu, Reshape"},
      {"twice", [](GraphBuilder& b) { return b.FinishFlat(Relu(b, Relu(b, Conv(b, b.image(), 4)))); },
       "Conv+Relu+Relu, Reshape"},
      {"of the image", [](GraphBuilder& b) { return b.FinishFlat(Relu(b, b.image())); }, "Relu, Reshape"},
      {"of a sum", [](GraphBuilder& b) { return b.FinishFlat(Relu(b, Add(b, Conv(b, b.image(), 3), b.image()))); },
       "Conv+Add+Relu, Reshape"},
      {"another reader wants the sign",
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 4);
         return b.FinishFlat(Add(b, Relu(b, x), x));
       },
       "Conv, Relu, Add, Reshape"},
      {"behind batch norm", [](GraphBuilder& b) { return b.FinishFlat(Relu(b, Norm(b, Conv(b, b.image(), 4)))); },
       "Conv, BatchNorm, Relu, Reshape"},
  };
  for (const Case& c : cases) Check(c, FusePostOps);
}

TEST(RemoveDead, Cases) {
  const std::vector<Case> cases = {
      {"nothing dead", [](GraphBuilder& b) { return b.FinishFlat(Relu(b, b.image())); }, "Relu, Reshape"},
      {"a chain that leads nowhere",
       [](GraphBuilder& b) {
         const ValueId x = Relu(b, b.image());
         Norm(b, Conv(b, x, 4));
         return b.FinishFlat(x);
       },
       "Relu, Reshape"},
      {"only the embedding needs it",
       [](GraphBuilder& b) {
         const ValueId vector = Flatten(b, b.image());
         const ValueId embedding = Flatten(b, Relu(b, b.image()));
         return b.Finish(b.Add(b.Gemm(4, 90), {vector}), embedding);
       },
       "Reshape, Relu, Reshape, Gemm"},
  };
  for (const Case& c : cases) Check(c, RemoveDead);
}

// One block of each kind, with everything that is fused in them.
TEST(AllPasses, Blocks) {
  const auto block = [](GraphBuilder& b, ValueId x, ValueId shortcut, int64_t channels) {
    const ValueId branch = Norm(b, Conv(b, Relu(b, Norm(b, Conv(b, x, channels))), channels));
    return Relu(b, Add(b, branch, shortcut));
  };
  const std::vector<Case> cases = {
      {"identity",
       [&](GraphBuilder& b) {
         const ValueId x = Relu(b, Norm(b, Conv(b, b.image(), 8)));
         return b.FinishFlat(block(b, x, x, 8));
       },
       "Conv+Relu, Conv+Relu, Conv+Add+Relu, ReduceMean, Reshape, Reshape"},
      {"option B",
       [&](GraphBuilder& b) {
         const ValueId x = Relu(b, Norm(b, Conv(b, b.image(), 8)));
         return b.FinishFlat(block(b, x, Norm(b, ConvWithoutBias(b, x, 16)), 16));
       },
       "Conv+Relu, Conv, Conv+Relu, Conv+Add+Relu, ReduceMean, Reshape, Reshape"},
      {"option A",
       [&](GraphBuilder& b) {
         const ValueId x = Relu(b, Norm(b, Conv(b, b.image(), 8)));
         return b.FinishFlat(block(b, x, b.Add(graph::Pad{{4, 0, 0}, {4, 0, 0}, 0}, {x}), 16));
       },
       "Conv+Relu, Pad, Conv+Relu, Conv+Add+Relu, ReduceMean, Reshape, Reshape"},
      {"with a classifier and something dead",
       [&](GraphBuilder& b) {
         const ValueId x = Relu(b, Norm(b, Conv(b, b.image(), 8)));
         Norm(b, x);
         const ValueId pooled = Flatten(b, b.Add(graph::GlobalAveragePool(), {block(b, x, x, 8)}));
         return b.Finish(b.Add(b.Gemm(10, 8), {pooled}), pooled);
       },
       "Conv+Relu, Conv+Relu, Conv+Add+Relu, ReduceMean, Reshape, ReduceMean, Reshape, Gemm"},
  };
  for (const Case& c : cases) Check(c, RunPasses);
}

TEST(AllPasses, NamesThePassThatFails) {
  GraphBuilder b({3, 6, 5});
  graph::BatchNorm norm = b.BatchNorm(4);
  norm.variance = b.Random({4}, -1, -1);
  Graph g = b.FinishFlat(b.Add(norm, {Conv(b, b.image(), 4)}));
  EXPECT_THAT(std::string(RunPasses(g).message()), testing::StartsWith("fold-affine: node 'n1' (BatchNorm): "));
}

}  // namespace
}  // namespace resnetd::passes
