// Compiled plans against the reference executor: every operator, shapes that are not multiples of anything, every way
// in which buffers are shared, and random networks.
#include <algorithm>
#include <functional>
#include <random>

#include "absl/strings/str_cat.h"
#include "engine/onednn/compile.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/reference/graph_builder.h"
#include "tests/unit/plan_checker.h"

namespace resnetd::onednn {
namespace {

using graph::Graph;
using graph::ValueId;
using reference::GraphBuilder;

struct Case {
  const char* what;
  graph::Dims image;
  std::function<Graph(GraphBuilder&)> build;
};

ValueId Conv(GraphBuilder& b, ValueId src, int64_t channels, int64_t kernel = 3, int64_t stride = 1) {
  graph::Conv conv = b.Conv(channels, b.dims(src)[0], {kernel, kernel});
  conv.pads = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
  conv.strides = {stride, stride};
  return b.Add(conv, {src});
}

ValueId Relu(GraphBuilder& b, ValueId src) {
  return b.Add(graph::Relu(), {src});
}

// relu(conv(src) + residual), as the passes leave it.
ValueId Join(GraphBuilder& b, ValueId src, ValueId residual, bool relu = true) {
  graph::Conv conv = b.Conv(b.dims(residual)[0], b.dims(src)[0], {3, 3});
  conv.pads = {1, 1, 1, 1};
  graph::PostOps post_ops = {graph::Add()};
  if (relu) post_ops.push_back(graph::Relu());
  return b.Add(conv, {src, residual}, post_ops);
}

template <typename Op>
Case OneOp(const char* what, graph::Dims image, Op op) {
  return {what, std::move(image), [op](GraphBuilder& b) { return b.FinishFlat(b.Add(op, {b.image()})); }};
}

// The same operator behind a convolution, where the layout is another.
template <typename Op>
Case Behind(const char* what, int64_t channels, int64_t size, Op op) {
  return {what, {3, size, size}, [op, channels](GraphBuilder& b) {
            return b.FinishFlat(b.Add(op, {Conv(b, b.image(), channels)}));
          }};
}

Case OneConv(
    const char* what, graph::Dims image, int64_t out, graph::Size2 kernel,
    const std::function<void(graph::Conv&)>& change = [](graph::Conv&) {}) {
  return {what, image, [=](GraphBuilder& b) {
            graph::Conv conv = b.Conv(out, image[0], kernel);
            change(conv);
            if (conv.groups > 1) conv.weights = b.Random({out, image[0] / conv.groups, kernel.h, kernel.w}, -1, 1);
            return b.FinishFlat(b.Add(conv, {b.image()}));
          }};
}

TEST(Plan, Convolutions) {
  const std::vector<Case> cases = {
      OneConv("1x1", {3, 5, 7}, 4, {1, 1}),
      OneConv("one channel in, one out", {1, 5, 7}, 1, {3, 3}),
      OneConv("the first layer of ResNet", {3, 33, 35}, 64, {7, 7},
              [](graph::Conv& c) {
                c.strides = {2, 2}, c.pads = {3, 3, 3, 3};
              }),
      OneConv("grey, odd channels", {1, 28, 28}, 13, {3, 3},
              [](graph::Conv& c) {
                c.pads = {1, 1, 1, 1};
              }),
      OneConv("unequal kernel, strides and padding", {5, 9, 14}, 7, {3, 2},
              [](graph::Conv& c) {
                c.strides = {2, 3}, c.pads = {2, 0, 1, 1};
              }),
      OneConv("dilated", {8, 11, 12}, 8, {3, 3},
              [](graph::Conv& c) {
                c.dilations = {2, 3};
              }),
      OneConv("no bias", {16, 6, 6}, 16, {3, 3}, [](graph::Conv& c) { c.bias = nullptr; }),
      {"relu",
       {16, 6, 6},
       [](GraphBuilder& b) {
         return b.FinishFlat(b.Add(b.Conv(16, 16, {3, 3}), {b.image()}, {graph::Relu()}));
       }},
      OneConv("groups", {12, 7, 7}, 18, {3, 3}, [](graph::Conv& c) { c.groups = 3; }),
      OneConv("depthwise", {16, 7, 7}, 16, {3, 3},
              [](graph::Conv& c) {
                c.groups = 16, c.pads = {1, 1, 1, 1};
              }),
      OneConv("the whole image", {16, 6, 5}, 20, {6, 5}),
      OneConv("one pixel", {64, 1, 1}, 32, {1, 1}),
      OneConv("1x1 with stride", {64, 9, 9}, 32, {1, 1},
              [](graph::Conv& c) {
                c.strides = {2, 2};
              }),
      OneConv("many channels", {256, 4, 4}, 128, {3, 3},
              [](graph::Conv& c) {
                c.pads = {1, 1, 1, 1};
              }),
      {"two in a row", {3, 10, 10}, [](GraphBuilder& b) { return b.FinishFlat(Conv(b, Conv(b, b.image(), 10), 6)); }},
  };
  for (const Case& c : cases) {
    GraphBuilder b(c.image);
    ExpectEqualsReference(c.build(b), c.what);
  }
}

TEST(Plan, OtherOperators) {
  GraphBuilder weights({1, 1, 1}, 5);
  const graph::MaxPool max{{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, false};
  const graph::MaxPool max_ceil{{2, 3}, {2, 2}, {1, 1}, {0, 0, 0, 0}, true};
  const graph::MaxPool max_dilated{{2, 2}, {1, 1}, {2, 3}, {0, 0, 0, 0}, false};
  const graph::MaxPool max_unequal{{3, 2}, {1, 2}, {1, 1}, {2, 0, 0, 1}, false};
  const graph::AveragePool average{{3, 3}, {2, 2}, {1, 1, 1, 1}, false, false};
  const graph::AveragePool average_padding{{3, 3}, {2, 2}, {1, 1, 1, 1}, false, true};
  const graph::AveragePool average_ceil{{2, 2}, {2, 2}, {0, 0, 0, 0}, true, false};
  const std::vector<Case> cases = {
      OneOp("max pool", {3, 9, 8}, max),
      OneOp("max pool, ceil", {3, 9, 8}, max_ceil),
      OneOp("max pool, dilated", {3, 9, 8}, max_dilated),
      OneOp("max pool, unequal", {3, 9, 8}, max_unequal),
      Behind("max pool behind a convolution", 20, 9, max),
      Behind("max pool, ceil, behind a convolution", 16, 9, max_ceil),
      OneOp("average pool", {3, 9, 8}, average),
      OneOp("average pool, padding counts", {3, 9, 8}, average_padding),
      OneOp("average pool, ceil", {3, 9, 8}, average_ceil),
      Behind("average pool behind a convolution", 20, 9, average),
      Behind("average pool, padding counts, behind a convolution", 20, 9, average_padding),
      OneOp("global average pool", {3, 9, 8}, graph::GlobalAveragePool()),
      Behind("global average pool behind a convolution", 20, 9, graph::GlobalAveragePool()),
      OneOp("flatten", {3, 4, 5}, graph::Flatten()),
      Behind("flatten behind a convolution: ONNX's order of elements", 20, 4, graph::Flatten()),
      OneOp("relu", {3, 4, 5}, graph::Relu()),
      Behind("relu behind a convolution", 20, 4, graph::Relu()),
      OneOp("batch norm", {3, 9, 8}, weights.BatchNorm(3)),
      Behind("batch norm behind a convolution", 20, 9, weights.BatchNorm(20)),
      OneOp("slice", {6, 9, 8}, graph::Slice{{1, 2, 0}, {6, 8, 7}, {2, 1, 3}}),
      OneOp("pad", {3, 4, 5}, graph::Pad{{1, 0, 2}, {0, 3, 1}, -0.25f}),
      Behind("slice behind a convolution", 8, 9, graph::Slice{{0, 0, 0}, {8, 9, 9}, {1, 2, 2}}),
      {"gemm",
       {3, 4, 5},
       [](GraphBuilder& b) { return b.FinishFlat(b.Add(b.Gemm(7, 60), {b.Add(graph::Flatten(), {b.image()})})); }},
      {"gemm without bias, behind a convolution",
       {3, 4, 4},
       [](GraphBuilder& b) {
         graph::Gemm gemm = b.Gemm(9, 80);
         gemm.bias = nullptr;
         return b.FinishFlat(b.Add(gemm, {b.Add(graph::Flatten(), {Conv(b, b.image(), 5)})}));
       }},
      {"batch norm of a vector",
       {3, 4, 5},
       [](GraphBuilder& b) { return b.FinishFlat(b.Add(b.BatchNorm(60), {b.Add(graph::Flatten(), {b.image()})})); }},
      {"add",
       {3, 4, 5},
       [](GraphBuilder& b) {
         return b.FinishFlat(b.Add(graph::Add(), {Relu(b, b.image()), b.image()}));
       }},
      {"add, one of each layout",
       {3, 4, 5},
       [](GraphBuilder& b) {
         return b.FinishFlat(b.Add(graph::Add(), {b.image(), Conv(b, b.image(), 3)}));
       }},
      {"add to itself",
       {3, 4, 5},
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 3);
         return b.FinishFlat(b.Add(graph::Add(), {x, x}));
       }},
      {"slice and pad: option A",
       {16, 9, 8},
       [](GraphBuilder& b) {
         const ValueId x = b.Add(graph::Slice{{0, 0, 0}, {16, 9, 8}, {1, 2, 2}}, {b.image()});
         return b.FinishFlat(b.Add(graph::Pad{{8, 0, 0}, {8, 0, 0}, 0}, {x}));
       }},
      {"slice and pad along every axis",
       {7, 9, 8},
       [](GraphBuilder& b) {
         const ValueId x = b.Add(graph::Slice{{1, 0, 3}, {6, 7, 8}, {2, 3, 2}}, {b.image()});
         return b.FinishFlat(b.Add(graph::Pad{{1, 2, 0}, {0, 1, 3}, 1.5f}, {x}));
       }},
      {"a slice with two readers, one a pad",
       {4, 6, 6},
       [](GraphBuilder& b) {
         const ValueId x = b.Add(graph::Slice{{0, 0, 0}, {4, 6, 6}, {1, 2, 2}}, {b.image()});
         const ValueId y = b.Add(graph::Pad{{0, 0, 0}, {4, 0, 0}, 0}, {x});
         return b.FinishFlat(b.Add(graph::Add(), {Conv(b, x, 8), y}));
       }},
  };
  for (const Case& c : cases) {
    GraphBuilder b(c.image);
    ExpectEqualsReference(c.build(b), c.what);
  }
}

TEST(Plan, SharedBuffers) {
  const std::vector<Case> cases = {
      {"the residual dies",
       {8, 5, 5},
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 8);
         return b.FinishFlat(Join(b, Conv(b, b.image(), 8), x));
       }},
      {"the residual lives on",
       {8, 5, 5},
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 8);
         const ValueId y = Join(b, Conv(b, x, 8), x);
         return b.FinishFlat(Join(b, y, x));
       }},
      {"the residual is the image",
       {8, 5, 5},
       [](GraphBuilder& b) { return b.FinishFlat(Join(b, Conv(b, b.image(), 8), b.image())); }},
      {"the residual is what the convolution reads",
       {8, 5, 5},
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 8);
         return b.FinishFlat(Join(b, x, x));
       }},
      {"the image is both", {8, 5, 5}, [](GraphBuilder& b) { return b.FinishFlat(Join(b, b.image(), b.image())); }},
      {"the residual is an output",
       {8, 1, 1},
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 8, 1);
         const ValueId embedding = b.Add(graph::Flatten(), {x});
         return b.Finish(b.Add(graph::Flatten(), {Join(b, Conv(b, b.image(), 8), x)}), embedding);
       }},
      {"the sum without ReLU",
       {8, 5, 5},
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 8);
         return b.FinishFlat(Join(b, Conv(b, b.image(), 8), x, false));
       }},
      {"ReLU of an embedding leaves the embedding alone",
       {8, 5, 5},
       [](GraphBuilder& b) {
         const ValueId pooled = b.Add(graph::Flatten(), {b.Add(graph::GlobalAveragePool(), {Conv(b, b.image(), 6)})});
         return b.Finish(b.Add(b.Gemm(5, 6), {Relu(b, pooled)}), pooled);
       }},
      {"ReLU of what a flattened twin still needs",
       {6, 2, 2},
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 6);
         const ValueId flat = b.Add(graph::Flatten(), {x});
         const ValueId other = b.Add(graph::Flatten(), {Relu(b, x)});
         return b.FinishFlat(b.Add(graph::Add(), {flat, other}));
       }},
      {"one pixel: the flattened twin shares the buffer",
       {6, 1, 1},
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 6, 1);
         const ValueId flat = b.Add(graph::Flatten(), {x});
         const ValueId other = b.Add(graph::Flatten(), {Relu(b, x)});
         return b.FinishFlat(b.Add(graph::Add(), {flat, other}));
       }},
      {"the image has many readers, the last one late",
       {3, 6, 6},
       [](GraphBuilder& b) {
         ValueId x = Conv(b, b.image(), 24);
         for (int i = 0; i < 4; ++i) x = Conv(b, x, 24);
         return b.FinishFlat(b.Add(graph::Add(), {Conv(b, b.image(), 24), x}));
       }},
      {"a branch of branches",
       {8, 6, 6},
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 16), y = Conv(b, x, 16), z = Conv(b, x, 16), w = Conv(b, y, 16);
         return b.FinishFlat(Join(b, Join(b, w, y), b.Add(graph::Add(), {z, x})));
       }},
  };
  for (const Case& c : cases) {
    GraphBuilder b(c.image);
    ExpectEqualsReference(c.build(b), c.what);
  }
}

// A network of random operators on random earlier values: 2 to 14 nodes, up to 40 channels.
Graph RandomGraph(uint32_t seed) {
  std::mt19937 rng(seed);
  const auto below = [&](size_t n) { return static_cast<int64_t>(rng() % n); };
  GraphBuilder b({1 + below(4), 5 + below(9), 5 + below(9)}, seed);
  std::vector<ValueId> maps = {b.image()};
  const auto any = [&] { return maps[maps.size() - 1 - static_cast<size_t>(below(std::min<size_t>(maps.size(), 3)))]; };
  const auto twin = [&](ValueId id) {  // another map of the same size, or the same one
    for (const ValueId other : maps) {
      if (other != id && b.dims(other) == b.dims(id)) return other;
    }
    return id;
  };
  const int64_t nodes = 2 + below(13);
  for (int64_t i = 0; i < nodes; ++i) {
    const ValueId src = any();
    const graph::Dims dims = b.dims(src);
    switch (below(9)) {
      case 0:
      case 1:
        maps.push_back(Conv(b, src, 1 + below(40), 1 + 2 * below(2), 1 + below(2)));
        break;
      case 2:
      case 3:
        maps.push_back(Join(b, src, twin(src), below(2) == 0));
        break;
      case 4:
        maps.push_back(Relu(b, src));
        break;
      case 5:
        maps.push_back(b.Add(graph::Add(), {src, twin(src)}));
        break;
      case 6:
        maps.push_back(b.Add(b.BatchNorm(dims[0]), {src}));
        break;
      case 7:
        if (dims[1] < 2 || dims[2] < 2) break;
        maps.push_back(b.Add(graph::MaxPool{{2, 2}, {1 + below(2), 1}, {1, 1}, {0, 1, 1, 0}, below(2) == 0}, {src}));
        break;
      case 8:
        if (dims[1] < 4 || dims[0] > 60) break;
        const ValueId x = b.Add(graph::Slice{{0, 0, 0}, {dims[0], dims[1], dims[2]}, {1, 2, 2}}, {src});
        maps.push_back(b.Add(graph::Pad{{below(3), 0, 0}, {below(3), 0, 0}, 0}, {x}));
        break;
    }
  }
  const ValueId pooled = b.Add(graph::Flatten(), {b.Add(graph::GlobalAveragePool(), {any()})});
  return b.Finish(b.Add(b.Gemm(6, b.dims(pooled)[0]), {pooled}), pooled);
}

TEST(Plan, RandomNetworks) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    const Graph graph = RandomGraph(seed);
    ExpectEqualsReference(graph, absl::StrCat("seed ", seed, "\n", graph::ToString(graph)), 1 + seed % 2);
    if (HasFailure()) return;
  }
}

TEST(Plan, OnePrimitiveABlock) {
  GraphBuilder b({16, 8, 8});
  const ValueId x = Conv(b, b.image(), 16);
  graph::Conv last = b.Conv(16, 16, {3, 3});
  last.pads = {1, 1, 1, 1};
  const auto engine = CompileFor(b.FinishFlat(b.Add(last, {Conv(b, x, 16), x}, {graph::Add(), graph::Relu()})), {1}, 1);
  ASSERT_TRUE(engine.ok()) << engine.status();
  std::vector<std::string> ops;
  for (const StepInfo& step : (*engine)->Describe(1)) {
    if (step.op != "Reorder") ops.push_back(step.op);
  }
  EXPECT_THAT(ops, testing::ElementsAre("Conv", "Conv", "Conv"));
  EXPECT_TRUE((*engine)->Describe(2).empty());
}

TEST(Plan, WeightsAreSharedByBatchSizes) {
  GraphBuilder b({64, 14, 14});
  ValueId x = b.image();
  int64_t parameters = 0;
  for (int i = 0; i < 4; ++i) {
    x = Conv(b, x, 64);
    parameters += 64 * 64 * 9 + 64;
  }
  const Graph graph = b.FinishFlat(x);
  const auto one = CompileFor(graph, {1}, 1), many = CompileFor(graph, {1, 2, 3, 4, 8, 16}, 1);
  ASSERT_TRUE(one.ok() && many.ok());
  EXPECT_EQ((*one)->info().packed_weight_bytes, static_cast<size_t>(parameters) * sizeof(float));
  EXPECT_LE((*many)->info().packed_weight_bytes, (*one)->info().packed_weight_bytes * 11 / 10);
}

TEST(Compile, NamesWhatItCannotLower) {
  GraphBuilder b({3, 7, 7});
  const ValueId deep = b.Add(graph::Reshape{{3, 7, 7, 1}}, {b.image()});
  const auto engine = CompileFor(b.FinishFlat(b.Add(graph::Pad{{0, 0, 0, 0}, {0, 0, 0, 1}}, {deep})), {1}, 1);
  EXPECT_EQ(engine.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(engine.status().message()),
              testing::HasSubstr("node 'n1' (Pad) 3x7x7x1 -> 3x7x7x2 batch 1: expected at most 3 axes"));
}

TEST(Compile, FingerprintTellsPlansApart) {
  GraphBuilder b({3, 8, 8});
  const Graph graph = b.FinishFlat(Conv(b, b.image(), 16));
  const auto print = [&](std::vector<int> batches, int threads) {
    return (*CompileFor(graph, std::move(batches), threads))->info().plan_fingerprint;
  };
  EXPECT_EQ(print({1, 2}, 1), print({1, 2}, 1));
  EXPECT_NE(print({1, 2}, 1), print({1, 4}, 1));
  EXPECT_NE(print({1, 2}, 1), print({1, 2}, 2));
}

}  // namespace
}  // namespace resnetd::onednn
