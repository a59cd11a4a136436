// Each pass alone and all in order: what the graph becomes, and that it still computes the same.
#include "engine/passes/passes.h"
#include "engine/passes/weights.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/pass_checker.h"

namespace resnetd::passes {
namespace {

using graph::Graph;
using graph::ValueId;
using reference::GraphBuilder;

TEST(FoldAffine, Cases) {
  const std::vector<PassCase> cases = {
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
  CheckPass(cases, FoldAffine);
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
  const std::vector<PassCase> cases = {
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
  CheckPass(cases, FusePostOps);
}

TEST(FusePostOps, Operands) {
  const auto constant = [](graph::Dims dims, graph::BinaryKind kind = graph::BinaryKind::kMul, bool reversed = false) {
    return [=](GraphBuilder& b) {
      const graph::Binary binary{kind, b.Random(dims, 0.5f, 2), reversed};
      return b.FinishFlat(b.Add(binary, {Relu(b, Conv(b, b.image(), 4))}));
    };
  };
  CheckPass(
      {{"one value a channel", constant({4, 1, 1}), "Conv+Relu+Mul, Reshape"},
       {"one value", constant({1, 1, 1}), "Conv+Relu+Mul, Reshape"},
       {"one value a pixel: the whole layer would be a plain loop", constant({1, 6, 5}), "Conv+Relu, Mul, Reshape"},
       {"one value an element", constant({4, 6, 5}), "Conv+Relu, Mul, Reshape"},
       {"one value a column", constant({1, 1, 5}), "Conv+Relu, Mul, Reshape"},
       {"times, reversed", constant({4, 1, 1}, graph::BinaryKind::kMul, true), "Conv+Relu+Mul, Reshape"},
       {"subtracted", constant({4, 1, 1}, graph::BinaryKind::kSub), "Conv+Relu+Sub, Reshape"},
       {"subtracted from", constant({4, 1, 1}, graph::BinaryKind::kSub, true), "Conv+Relu, Sub, Reshape"},
       {"a constant that outgrows the map",
        [](GraphBuilder& b) {
          const graph::Binary add{graph::BinaryKind::kAdd, b.Random({4, 6, 5}, -1, 1)};
          return b.FinishFlat(b.Add(add, {b.Add(graph::GlobalAveragePool(), {Conv(b, b.image(), 4)})}));
        },
        "Conv, ReduceMean, Add, Reshape"},
       {"a gate a channel is applied by the product, which takes what follows",
        [](GraphBuilder& b) {
          const ValueId x = Conv(b, b.image(), 3);
          return b.FinishFlat(Relu(b, Add(b, Mul(b, x, b.Add(graph::GlobalAveragePool(), {x})), b.image())));
        },
        "Conv, ReduceMean, Mul+Add+Relu, Reshape"},
       {"a convolution is subtracted",
        [](GraphBuilder& b) {
          return b.FinishFlat(
              b.Add(graph::Binary{graph::BinaryKind::kSub, nullptr}, {b.image(), Conv(b, b.image(), 3)}));
        },
        "Conv, Sub, Reshape"},
       {"something is subtracted from a convolution",
        [](GraphBuilder& b) {
          return b.FinishFlat(
              b.Add(graph::Binary{graph::BinaryKind::kSub, nullptr}, {Conv(b, b.image(), 3), b.image()}));
        },
        "Conv+Sub, Reshape"},
       {"an inner product of one row",
        [](GraphBuilder& b) {
          const ValueId flat = Flatten(b, b.image());
          return b.FinishFlat(Add(b, b.Add(b.Gemm(90, 90), {flat}), flat));
        },
        "Reshape, Gemm+Add"},
       {"of several rows: a matrix has not the operand's axes",
        [](GraphBuilder& b) { return b.FinishFlat(Relu(b, Add(b, b.Add(b.Gemm(5, 5), {b.image()}), b.image()))); },
        "Gemm, Add+Relu, Reshape"},
       {"no primitive has erf",
        [](GraphBuilder& b) {
          return b.FinishFlat(b.Add(graph::Activation{graph::ActivationKind::kErf}, {Conv(b, b.image(), 4)}));
        },
        "Conv, Erf, Reshape"},
       {"eight and no more",
        [](GraphBuilder& b) {
          ValueId x = Conv(b, b.image(), 4);
          for (int i = 0; i < 9; ++i) x = b.Add(graph::Activation{graph::ActivationKind::kLeakyRelu, 0.9f}, {x});
          return b.FinishFlat(x);
        },
        "Conv+LeakyRelu+LeakyRelu+LeakyRelu+LeakyRelu+LeakyRelu+LeakyRelu+LeakyRelu+LeakyRelu, LeakyRelu, Reshape"}},
      FusePostOps);
}

TEST(SplitBatchNorm, Cases) {
  CheckPass({{"of a map", [](GraphBuilder& b) { return b.FinishFlat(Norm(b, b.image())); }, "Mul+Add, Reshape"},
             {"of a vector", [](GraphBuilder& b) { return b.FinishFlat(Norm(b, Flatten(b, b.image()))); },
              "Reshape, Mul+Add"},
             {"of rows",
              [](GraphBuilder& b) {
                return b.FinishFlat(Norm(b, b.Add(graph::Reshape{{9, 10}}, {b.image()})));
              },
              "Reshape, Mul+Add, Reshape"}},
            SplitBatchNorm);
}

TEST(FusePostOps, Activations) {
  const std::vector<PassCase> cases = {
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
  CheckPass(cases, FusePostOps);
}

TEST(RemoveDead, Cases) {
  const std::vector<PassCase> cases = {
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
  CheckPass(cases, RemoveDead);
}

// One block of each kind, with everything that is fused in them.
TEST(AllPasses, Blocks) {
  const auto block = [](GraphBuilder& b, ValueId x, ValueId shortcut, int64_t channels) {
    const ValueId branch = Norm(b, Conv(b, Relu(b, Norm(b, Conv(b, x, channels))), channels));
    return Relu(b, Add(b, branch, shortcut));
  };
  const std::vector<PassCase> cases = {
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
  CheckPass(cases, [](Graph& graph) { return RunPasses(graph); });
}

TEST(AllPasses, AreShownInTheirOrder) {
  GraphBuilder b({3, 4, 4});
  Graph g = b.FinishFlat(b.image());
  std::vector<std::string> shown, all;
  ASSERT_TRUE(RunPasses(g, [&](absl::string_view pass, const Graph& graph) {
                EXPECT_EQ(&graph, &g);
                shown.emplace_back(pass);
              }).ok());
  for (const NamedPass& pass : AllPasses()) all.emplace_back(pass.name);
  EXPECT_EQ(shown, all);
}

// Two layers share 36 values in a file, a third has 36 in memory.
TEST(LeaveFiles, KeepsAFileOfWhichNineTenthsAreNeeded) {
  const std::string values(36 * sizeof(float), '\0');
  for (const auto& [rest, leaves] : {std::pair<size_t, bool>{0, false}, {16, false}, {17, true}, {1000, true}}) {
    const Bytes file(values + std::string(rest, 'r')), other(std::string("nothing is of this file"));
    const graph::WeightsRef view =
        graph::MakeWeights("view", {6, 6, 1, 1}, graph::Floats::View(file.Part(file.view().substr(0, values.size()))));
    GraphBuilder b({6, 4, 4});
    const auto conv = [&](const graph::WeightsRef& weights, ValueId src) {
      graph::Conv op;
      op.weights = weights;
      return b.Add(op, {src});
    };
    const graph::WeightsRef own = graph::MakeWeights("own", {6, 6, 1, 1}, std::vector<float>(36, 1));
    Graph g = b.FinishFlat(conv(own, conv(view, conv(view, b.image()))));
    EXPECT_EQ(LeaveFiles({file}, g), leaves) << rest;
    EXPECT_TRUE(LeaveFiles({other}, g));
    const auto weights = [&](size_t node) { return std::get<graph::Conv>(g.nodes[node].op).weights; };
    EXPECT_EQ(weights(0) == view, !leaves) << rest;
    EXPECT_EQ(weights(0), weights(1));
    EXPECT_EQ(weights(0)->data, view->data.Copy());
    EXPECT_EQ(weights(2), own);
  }
}

TEST(LeaveFiles, LeavesAFileWhoseWeightsAreNotAligned) {
  const std::string values(36 * sizeof(float), '\0');
  for (const size_t offset : {0, 1, 2, 3, 4}) {
    const Bytes file(std::string(offset, 'x') + values);
    const graph::WeightsRef view =
        graph::MakeWeights("view", {6, 6, 1, 1}, graph::Floats::View(file.Part(file.view().substr(offset))));
    GraphBuilder b({6, 4, 4});
    graph::Conv op;
    op.weights = view;
    Graph g = b.FinishFlat(b.Add(op, {b.image()}));
    EXPECT_EQ(LeaveFiles({file}, g), offset % alignof(float) != 0) << offset;
    EXPECT_EQ(std::get<graph::Conv>(g.nodes[0].op).weights->data, view->data.Copy());
  }
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
