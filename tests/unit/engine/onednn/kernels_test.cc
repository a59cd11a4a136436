// Convolutions that our own kernels compute, and those just beyond what they take.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/plan_checker.h"

namespace resnetd::onednn {
namespace {

using graph::ValueId;
using reference::GraphBuilder;

struct Layer {
  const char* what;
  graph::Dims src;
  int64_t out;
  graph::Pads2 pads = {1, 1, 1, 1};
  graph::Size2 kernel = {3, 3}, strides = {}, dilations = {};
  int64_t groups = 1;
  bool bias = true;
  graph::PostOps post_ops = {};
  bool residual_lives = false;  // on behind the convolution
};

ValueId AddLayer(GraphBuilder& b, const Layer& layer, ValueId src) {
  graph::Conv conv = b.Conv(layer.out, b.dims(src)[0] / layer.groups, layer.kernel);
  conv.pads = layer.pads;
  conv.strides = layer.strides;
  conv.dilations = layer.dilations;
  conv.groups = layer.groups;
  if (!layer.bias) conv.bias = nullptr;
  const bool sums = !layer.post_ops.empty() && std::holds_alternative<graph::Binary>(layer.post_ops[0]);
  if (!sums) return b.Add(conv, {src}, layer.post_ops);
  // A residual that only the sum reads, or also another layer.
  const ValueId residual = AddConv(b, src, layer.out, 1);
  const ValueId result = b.Add(conv, {src, residual}, layer.post_ops);
  return layer.residual_lives ? b.Add(graph::Add(), {result, residual}) : result;
}

// The kernel of the layer, as the convolution under test is called in Describe().
std::string ImplementationOf(const Engine& engine, const std::string& name) {
  for (const StepInfo& step : engine.Describe(1)) {
    if (step.node == name && step.op == "Conv") return step.implementation;
  }
  return "none";
}

graph::Graph GraphOf(const Layer& layer) {
  GraphBuilder b(layer.src);
  return b.FinishFlat(AddLayer(b, layer, b.Add(graph::Relu(), {b.image()})));
}

// The implementation of the convolution under test.
std::string KernelOf(const Layer& layer) {
  const graph::Graph graph = GraphOf(layer);
  std::string name;
  for (const graph::Node& node : graph.nodes) {
    const auto* conv = std::get_if<graph::Conv>(&node.op);
    if (conv != nullptr && node.post_ops.size() == layer.post_ops.size() && conv->weights->dims[2] == layer.kernel.h) {
      name = node.name;
    }
  }
  const auto engine = CompileFor(graph, {1}, 1);
  EXPECT_TRUE(engine.ok()) << layer.what << ": " << engine.status();
  return engine.ok() ? ImplementationOf(**engine, name) : "";
}

void CheckAnswers(const Layer& layer) {
  for (const int threads : {1, 2}) ExpectEqualsReference(GraphOf(layer), layer.what, threads);
}

bool HasAvx512() {
  GraphBuilder b({3, 4, 4});
  return absl::StartsWith((*CompileFor(b.FinishFlat(AddConv(b, b.image(), 4)), {1}, 1))->info().isa, "avx512");
}

void ExpectKernel(const std::string& kernel, const std::vector<Layer>& layers) {
  const bool avx512 = HasAvx512();
  for (const Layer& layer : layers) {
    EXPECT_EQ(KernelOf(layer) == absl::StrCat(kernel, ":avx512_core"), avx512) << layer.what;
    CheckAnswers(layer);
  }
}

void ExpectLibrary(const std::vector<Layer>& layers) {
  for (const Layer& layer : layers) {
    const std::string implementation = KernelOf(layer);
    EXPECT_FALSE(absl::StartsWith(implementation, "winograd") || absl::StartsWith(implementation, "grouped"))
        << layer.what << ": " << implementation;
    EXPECT_NE(implementation, "none") << layer.what;
    CheckAnswers(layer);
  }
}

TEST(PlanKernels, Winograd) {
  const graph::PostOps relu = {graph::Relu()}, add = {graph::Add()}, both = {graph::Add(), graph::Relu()};
  ExpectKernel("winograd",
               {
                   {"16 channels", {16, 8, 8}, 16},
                   {"48 channels: one vector at a time", {32, 8, 8}, 48},
                   {"64 channels: two", {48, 8, 8}, 64},
                   {"odd sizes", {16, 9, 11}, 32},
                   {"a full block of tiles", {16, 4, 14}, 16},
                   {"the fewest tiles", {16, 5, 6}, 32},
                   {"one row of tiles", {16, 2, 28}, 16},
                   {"one column of tiles", {16, 28, 1}, 16},
                   {"more tiles than a block holds", {16, 9, 20}, 16},
                   {"more than a chunk", {16, 22, 21}, 32},
                   {"no padding", {32, 10, 11}, 32, {0, 0, 0, 0}},
                   {"padding as TensorFlow has it", {32, 9, 9}, 32, {0, 0, 1, 1}},
                   {"padding wider than the kernel", {16, 5, 6}, 16, {3, 4, 5, 3}},
                   {"no bias", {16, 8, 8}, 16, {1, 1, 1, 1}, {3, 3}, {}, {}, 1, false},
                   {"relu", {16, 9, 8}, 32, {1, 1, 1, 1}, {3, 3}, {}, {}, 1, true, relu},
                   {"sum in place", {16, 8, 9}, 32, {1, 1, 1, 1}, {3, 3}, {}, {}, 1, true, add},
                   {"sum and relu", {16, 8, 8}, 48, {1, 1, 1, 1}, {3, 3}, {}, {}, 1, false, both},
                   {"residual that lives on", {16, 8, 8}, 32, {1, 1, 1, 1}, {3, 3}, {}, {}, 1, true, both, true},
               });
}

// Tiles and channels that threads divide unevenly, and fewer of them than threads.
TEST(PlanKernels, WinogradByThreads) {
  const std::vector<Layer> layers = {
      {"9 tiles, one panel", {16, 6, 6}, 32, {0, 2, 1, 0}},
      {"20 tiles, three panels", {32, 8, 9}, 96, {1, 1, 1, 1}},
      {"25 tiles, three panels of one vector", {16, 10, 9}, 48, {0, 1, 1, 2}, {3, 3}, {}, {}, 1, true, {graph::Relu()}},
      {"9 tiles, three panels of one vector", {16, 6, 6}, 48, {1, 1, 1, 1}},
      {"15 tiles, two panels", {16, 6, 10}, 64, {1, 1, 1, 1}},
      {"16 tiles, two panels", {16, 8, 8}, 64, {1, 1, 1, 1}},
      {"28 tiles in a row, two panels", {32, 1, 55}, 64, {2, 0, 0, 3}, {3, 3}, {}, {}, 1, false},
  };
  for (const Layer& layer : layers) {
    const bool ours = KernelOf(layer) == "winograd:avx512_core";
    EXPECT_EQ(ours, HasAvx512()) << layer.what;
    ExpectEqualsReferenceByThreads(GraphOf(layer), layer.what, ours);
  }
  const Layer sum{"a sum", {32, 9, 7}, 96, {1, 1, 1, 1}, {3, 3}, {}, {}, 1, true, {graph::Add(), graph::Relu()}};
  ExpectEqualsReferenceByThreads(GraphOf(sum), sum.what, false);  // of what the library computes
}

TEST(PlanKernels, NotWinograd) {
  const graph::Activation elu{.kind = graph::ActivationKind::kElu, .alpha = 1};
  ExpectLibrary({
      {"15 channels in", {15, 8, 8}, 16},
      {"24 channels out", {16, 8, 8}, 24},
      {"too few tiles", {16, 3, 7}, 16},
      {"stride 2", {16, 16, 16}, 16, {1, 1, 1, 1}, {3, 3}, {2, 2}},
      {"stride 2 down", {16, 16, 16}, 16, {1, 1, 1, 1}, {3, 3}, {2, 1}},
      {"dilated", {16, 9, 9}, 16, {2, 2, 2, 2}, {3, 3}, {}, {2, 2}},
      {"5x5", {16, 9, 9}, 16, {2, 2, 2, 2}, {5, 5}},
      {"groups of 16", {32, 9, 9}, 32, {1, 1, 1, 1}, {3, 3}, {}, {}, 2},
      {"elu", {16, 8, 8}, 16, {1, 1, 1, 1}, {3, 3}, {}, {}, 1, true, {elu}},
      {"an activation behind the relu", {16, 8, 8}, 16, {1, 1, 1, 1}, {3, 3}, {}, {}, 1, true, {graph::Relu(), elu}},
  });
}

// Transforming the weights has to be worth it. Computing these is not: the reference takes seconds.
TEST(PlanKernels, WinogradOfManyKernels) {
  const std::string winograd = HasAvx512() ? "winograd:avx512_core" : KernelOf({"few tiles", {16, 5, 5}, 4112});
  EXPECT_EQ(KernelOf({"as many kernels as few tiles take", {16, 5, 5}, 4096}), winograd);
  EXPECT_FALSE(absl::StartsWith(KernelOf({"too many for few tiles", {16, 5, 5}, 4112}), "winograd"));
  EXPECT_FALSE(absl::StartsWith(KernelOf({"too many for 24 tiles", {16, 8, 12}, 4112}), "winograd"));
  EXPECT_EQ(KernelOf({"25 tiles take any number", {16, 9, 10}, 4112}), winograd);
}

TEST(PlanKernels, Grouped) {
  const graph::PostOps relu = {graph::Relu()};
  ExpectKernel(
      "grouped",
      {
          {"32 groups of 4: ResNeXt", {128, 7, 7}, 128, {1, 1, 1, 1}, {3, 3}, {}, {}, 32, true, relu},
          {"groups of 2", {32, 6, 5}, 32, {1, 1, 1, 1}, {3, 3}, {}, {}, 16},
          {"groups of 8: RegNet", {48, 14, 14}, 48, {1, 1, 1, 1}, {3, 3}, {}, {}, 6, true, relu},
          {"stride 2, even", {32, 8, 8}, 32, {1, 1, 1, 1}, {3, 3}, {2, 2}, {}, 8},
          {"stride 2, odd", {32, 9, 7}, 32, {1, 1, 1, 1}, {3, 3}, {2, 2}, {}, 4},
          {"a row of two pieces", {16, 3, 21}, 16, {1, 1, 1, 1}, {3, 3}, {}, {}, 4},
          {"a row of two pieces, stride 2", {16, 3, 30}, 16, {1, 1, 1, 1}, {3, 3}, {2, 2}, {}, 2},
          {"one pixel", {16, 1, 1}, 16, {1, 1, 1, 1}, {3, 3}, {}, {}, 4},
          {"groups of 16, stride 2, pixels 1 kB apart", {256, 3, 28}, 256, {1, 1, 1, 1}, {3, 3}, {2, 2}, {}, 16},
          {"no padding", {16, 5, 3}, 16, {0, 0, 0, 0}, {3, 3}, {}, {}, 4},
          {"padding as TensorFlow has it", {16, 8, 8}, 16, {0, 0, 1, 1}, {3, 3}, {2, 2}, {}, 4},
          {"no bias", {16, 6, 6}, 16, {1, 1, 1, 1}, {3, 3}, {}, {}, 4, false},
      });
}

// Rows that threads divide unevenly, and fewer of them than threads.
TEST(PlanKernels, GroupedByThreads) {
  const std::vector<Layer> layers = {
      {"one row", {32, 1, 13}, 32, {1, 0, 1, 1}, {3, 3}, {}, {}, 8},
      {"seven rows", {48, 7, 11}, 48, {1, 1, 1, 0}, {3, 3}, {}, {}, 6, true, {graph::Relu()}},
      {"stride 2, five rows", {32, 9, 15}, 32, {1, 0, 1, 1}, {3, 3}, {2, 2}, {}, 16, false},
      {"stride 2, groups of 16", {256, 5, 29}, 256, {0, 1, 1, 0}, {3, 3}, {2, 2}, {}, 16},
  };
  for (const Layer& layer : layers) {
    const bool ours = KernelOf(layer) == "grouped:avx512_core";
    EXPECT_EQ(ours, HasAvx512()) << layer.what;
    ExpectEqualsReferenceByThreads(GraphOf(layer), layer.what, ours);
  }
}

// The same values, as many of them, in another order for each kernel.
TEST(PlanKernels, SharedWeights) {
  GraphBuilder b({256, 3, 28});
  const ValueId map = b.Add(graph::Relu(), {b.image()});
  graph::Conv grouped = b.Conv(256, 16, {3, 3});
  grouped.pads = {1, 1, 1, 1};
  grouped.strides = {2, 2};
  grouped.groups = 16;
  graph::Conv dense = grouped;
  dense.groups = 1;
  dense.strides = {1, 1};
  const ValueId narrow = AddConv(b, map, 16);
  const ValueId first = b.Add(grouped, {map}), second = b.Add(dense, {narrow});
  graph::Conv halve = b.Conv(256, 256, {1, 1});
  halve.strides = {2, 2};
  const graph::Graph graph = b.FinishFlat(b.Add(graph::Add(), {first, b.Add(halve, {second})}));
  for (const int threads : {1, 3}) ExpectEqualsReference(graph, "shared weights", threads);
}

TEST(PlanKernels, NotGrouped) {
  const graph::PostOps both = {graph::Add(), graph::Relu()};
  ExpectLibrary({
      {"groups of 1", {16, 6, 6}, 16, {1, 1, 1, 1}, {3, 3}, {}, {}, 16},
      {"groups of 16", {32, 6, 6}, 32, {1, 1, 1, 1}, {3, 3}, {}, {}, 2},
      {"groups of 16, stride 2, a narrow map", {256, 3, 27}, 256, {1, 1, 1, 1}, {3, 3}, {2, 2}, {}, 16},
      {"groups of 16, stride 2, other distances", {240, 3, 28}, 240, {1, 1, 1, 1}, {3, 3}, {2, 2}, {}, 15},
      {"groups of 16, stride 1, pixels 1 kB apart", {256, 3, 28}, 256, {1, 1, 1, 1}, {3, 3}, {}, {}, 16},
      {"8 channels", {8, 6, 6}, 8, {1, 1, 1, 1}, {3, 3}, {}, {}, 2},
      {"twice as many out", {16, 6, 6}, 32, {1, 1, 1, 1}, {3, 3}, {}, {}, 4},
      {"stride 3", {16, 9, 9}, 16, {1, 1, 1, 1}, {3, 3}, {3, 3}, {}, 4},
      {"stride 2 down", {16, 9, 9}, 16, {1, 1, 1, 1}, {3, 3}, {2, 1}, {}, 4},
      {"wide padding", {16, 6, 6}, 16, {2, 2, 2, 2}, {3, 3}, {}, {}, 4},
      {"dilated", {16, 9, 9}, 16, {1, 1, 1, 1}, {3, 3}, {}, {2, 2}, 4},
      {"1x1", {16, 6, 6}, 16, {}, {1, 1}, {}, {}, 4},
      {"a sum", {16, 6, 6}, 16, {1, 1, 1, 1}, {3, 3}, {}, {}, 4, true, both},
  });
}

}  // namespace
}  // namespace resnetd::onednn
