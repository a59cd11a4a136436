// Inner products and normalisations.
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/onednn/compile.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/reference/executor.h"
#include "tests/support/plan_checker.h"
#include "tests/support/session_runner.h"

namespace resnetd::onednn {
namespace {

using graph::ValueId;
using reference::GraphBuilder;

Apply Gemm(int64_t out, bool bias = true) {
  return [=](GraphBuilder& b, ValueId src) {
    graph::Gemm gemm = b.Gemm(out, b.dims(src).back());
    if (!bias) gemm.bias = nullptr;
    return b.Add(gemm, {src});
  };
}

TEST(PlanLayers, InnerProducts) {
  CheckPlans({
      OnDims("vector", {60}, Gemm(7), "Gemm"),
      OnDims("without bias", {80}, Gemm(9, false), "Gemm"),
      OnDims("ResNet-50's classes", {2048}, Gemm(1000), "Gemm"),
      OnDims("an odd number of features", {33}, Gemm(5), "Gemm"),
      OnDims("one class", {64}, Gemm(1), "Gemm"),
      OnDims("one feature", {1}, Gemm(5), "Gemm"),
      OnDims("the last axis", {6, 16}, Gemm(10), "Gemm"),
      OnDims("the last axis", {3, 4, 5}, Gemm(6), "Gemm"),
      {"behind a convolution: ONNX's order of elements",
       {3, 4, 4},
       [](GraphBuilder& b) {
         const ValueId flat = b.Add(graph::Flatten(), {AddConv(b, b.image(), 5)});
         return b.FinishFlat(b.Add(b.Gemm(9, 80), {flat}));
       },
       "Conv, Gemm"},
      {"the last axis of a map behind a convolution",
       {3, 4, 5},
       [](GraphBuilder& b) { return b.FinishFlat(b.Add(b.Gemm(6, 5), {AddConv(b, b.image(), 8)})); },
       "Conv, Gemm"},
      {"a classifier",
       {3, 7, 7},
       [](GraphBuilder& b) {
         const ValueId pooled = b.Add(graph::GlobalAveragePool(), {AddConv(b, b.image(), 64)});
         const ValueId embedding = b.Add(graph::Flatten(), {pooled});
         return b.Finish(b.Add(b.Gemm(10, 64), {embedding}), embedding);
       },
       "Conv, ReduceMean, Gemm"},
  });
}

Apply BatchNorm() {
  return [](GraphBuilder& b, ValueId src) { return b.Add(b.BatchNorm(b.dims(src)[0]), {src}); };
}

TEST(PlanLayers, BatchNorms) {
  for (const graph::Dims& map : {graph::Dims{3, 9, 8}, {20, 9, 9}, {64, 1, 1}}) {
    CheckPlans(OnBothLayouts("batch norm", map, BatchNorm(), "Mul+Add"));
  }
  CheckPlans({OnDims("batch norm", {60}, BatchNorm(), "Mul+Add"), OnDims("batch norm", {6, 10}, BatchNorm(), "Mul+Add"),
              OnDims("batch norm", {4, 3, 2, 5}, BatchNorm(), "Mul+Add")});
}

TEST(PlanLayers, AWholeBatchNormIsRefused) {
  GraphBuilder b({3, 4, 4});
  const graph::Graph graph = b.FinishFlat(BatchNorm()(b, b.image()));
  ModelInfo info;
  info.channels = 3;
  info.height = info.width = 4;
  info.batch_sizes = {1};
  const absl::Status refused = Compile(graph, info, ChooseSplit).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()),
              testing::HasSubstr("(BatchNorm): expected split-batch-norm to leave none"));
}

Apply GroupNorm(int64_t groups) {
  return [=](GraphBuilder& b, ValueId src) {
    const int64_t channels = b.dims(src)[0];
    return b.Add(graph::GroupNorm{b.Random({channels}, 0.5f, 1.5f), b.Random({channels}, -0.5f, 0.5f), groups}, {src});
  };
}

TEST(PlanLayers, GroupNorms) {
  for (const int64_t groups : {1, 2, 4, 20}) {
    CheckPlans(OnBothLayouts(absl::StrCat(groups, " groups"), {20, 9, 8}, GroupNorm(groups), "GroupNorm"));
  }
  CheckPlans(OnBothLayouts("32 groups", {64, 7, 7}, GroupNorm(32), "GroupNorm"));
  CheckPlans(OnBothLayouts("one pixel, 2 groups", {32, 1, 1}, GroupNorm(2), "GroupNorm"));
  // Its variance is 0: what is subtracted from it must be itself.
  CheckPlans(OnBothLayouts("one pixel, 32 groups", {32, 1, 1}, GroupNorm(32), "GroupNorm"));
  CheckPlans({OnDims("1 group", {12}, GroupNorm(1), "GroupNorm"), OnDims("3 groups", {12}, GroupNorm(3), "GroupNorm"),
              OnDims("1 group", {12, 10}, GroupNorm(1), "GroupNorm"),
              OnDims("4 groups", {12, 10}, GroupNorm(4), "GroupNorm"),
              OnDims("as many groups as channels", {12, 10}, GroupNorm(12), "GroupNorm"),
              OnDims("2 groups", {4, 3, 2, 5}, GroupNorm(2), "GroupNorm")});
}

Apply GroupNormRelu(int64_t groups) {
  return [=](GraphBuilder& b, ValueId src) {
    const int64_t channels = b.dims(src)[0];
    return b.Add(graph::GroupNorm{b.Random({channels}, 0.5f, 1.5f), b.Random({channels}, -0.5f, 0.5f), groups}, {src},
                 {graph::Relu()});
  };
}

// The rest of a batch norm that no layer could take.
Apply ScaleShift(bool relu) {
  return [=](GraphBuilder& b, ValueId src) {
    const graph::Dims channels = {b.dims(src)[0], 1, 1};
    const graph::Binary factor{graph::BinaryKind::kMul, b.Random(channels, -2, 2)},
        shift{graph::BinaryKind::kAdd, b.Random(channels, -1, 1)};
    return b.Add(factor, {src}, relu ? graph::PostOps{shift, graph::Relu()} : graph::PostOps{shift});
  };
}

// Maps of few elements and of enough for more than one thread.
TEST(PlanLayers, OurOwnKernels) {
  for (const graph::Dims& map : {graph::Dims{20, 9, 8}, {1, 5, 5}, {17, 32, 33}, {64, 20, 20}, {32, 1, 2}}) {
    for (const auto& [what, apply, steps] : {std::tuple("group norm and ReLU", GroupNormRelu(1), "GroupNorm+Relu"),
                                             {"instance norm and ReLU", GroupNormRelu(map[0]), "GroupNorm+Relu"},
                                             {"scale, shift", ScaleShift(false), "Mul+Add"},
                                             {"scale, shift, ReLU", ScaleShift(true), "Mul+Add+Relu"}}) {
      const std::string named = absl::StrCat(what, " ", graph::ToString(map));
      CheckPlans(OnBothLayouts(named, map, apply, steps));
      for (const int threads : {2, 3}) {
        GraphBuilder b({3, map[1], map[2]});
        ExpectEqualsReference(b.FinishFlat(apply(b, AddConv(b, b.image(), map[0], 1))),
                              absl::StrCat(named, " by ", threads), threads);
      }
    }
  }
}

// Pixels that threads divide unevenly, with an image for each thread and without.
TEST(PlanLayers, OurOwnKernelsByThreads) {
  for (const graph::Dims& map : {graph::Dims{20, 29, 31}, {17, 33, 30}, {48, 3, 5}}) {
    for (const auto& [what, apply, exactly] : {std::tuple("group norm", GroupNormRelu(1), false),
                                               {"instance norm", GroupNormRelu(map[0]), false},
                                               {"scale and shift", ScaleShift(true), true}}) {
      GraphBuilder b(map);
      ExpectEqualsReferenceByThreads(b.FinishFlat(apply(b, b.image())), absl::StrCat(what, " ", graph::ToString(map)),
                                     exactly);
    }
  }
}

// Small deviations from a large mean come through as far as float32 holds them; where there are none, the shift does.
TEST(PlanLayers, GroupNormFarFromZero) {
  struct Values {
    float mean, deviation;
  };
  for (const auto& [mean, deviation] : {Values{64, 1}, {1000, 0.01f}, {-1e6f, 0.5f}, {1e7f, 1}, {1000.1f, 0}}) {
    for (const auto& [map, groups] : {std::pair(graph::Dims{4, 6, 6}, 2), {{32, 24, 24}, 2}, {{32, 24, 24}, 32}}) {
      GraphBuilder b(map);
      const graph::Graph graph = b.FinishFlat(GroupNorm(groups)(b, b.image()));
      std::vector<float> image = reference::RandomImage(map, 7);
      for (float& x : image) x = mean + deviation * x;
      const std::vector<float> expected = reference::Run(graph, image)[static_cast<size_t>(graph.outputs[0].value)];
      for (const int threads : {1, 3}) {
        const auto engine = CompileFor(graph, {1}, threads);
        ASSERT_TRUE(engine.ok()) << engine.status();
        const SessionRunner runner(*engine);
        runner.Write(0, image);
        ASSERT_TRUE(runner->Run({.count = 1}).ok());
        EXPECT_LE(reference::MaxDifference(runner->output(OutputId{0}, 0), expected),
                  1e-5 * reference::MaxAbs(expected))
            << mean << " and " << deviation << ", " << graph::ToString(map) << " in " << groups << " groups by "
            << threads;
      }
    }
  }
}

TEST(PlanLayers, OurOwnKernelsKeepNaN) {
  for (const Apply& apply : {ScaleShift(false), ScaleShift(true), GroupNorm(2), GroupNormRelu(2)}) {
    GraphBuilder b({4, 3, 5});
    const auto engine = CompileFor(b.FinishFlat(apply(b, b.image())), {1}, 1);
    ASSERT_TRUE(engine.ok()) << engine.status();
    const SessionRunner runner(*engine);
    runner.Write(0, std::vector<float>(60, std::numeric_limits<float>::quiet_NaN()));
    ASSERT_TRUE(runner->Run({.count = 1}).ok());
    for (const float x : runner->output(OutputId{0}, 0))
      ASSERT_TRUE(std::isnan(x)) << Steps(**engine) << " gives " << x;
  }
}

}  // namespace
}  // namespace resnetd::onednn
