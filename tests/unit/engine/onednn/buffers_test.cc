// Tests which values share a buffer, packed weights that plans share, and what tells plans apart.
#include <algorithm>
#include <functional>

#include "engine/onednn/compile.h"
#include "engine/onednn/plan.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/plan_checker.h"

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

TEST(PlanBuffers, SharedBuffers) {
  const std::vector<Case> cases = {
      {"the residual dies",
       {8, 5, 5},
       [](GraphBuilder& b) {
         const ValueId x = AddConv(b, b.image(), 8);
         return b.FinishFlat(Join(b, AddConv(b, b.image(), 8), x));
       }},
      {"the residual lives on",
       {8, 5, 5},
       [](GraphBuilder& b) {
         const ValueId x = AddConv(b, b.image(), 8);
         const ValueId y = Join(b, AddConv(b, x, 8), x);
         return b.FinishFlat(Join(b, y, x));
       }},
      {"the residual is the image",
       {8, 5, 5},
       [](GraphBuilder& b) { return b.FinishFlat(Join(b, AddConv(b, b.image(), 8), b.image())); }},
      {"the residual is what the convolution reads",
       {8, 5, 5},
       [](GraphBuilder& b) {
         const ValueId x = AddConv(b, b.image(), 8);
         return b.FinishFlat(Join(b, x, x));
       }},
      {"the image is both", {8, 5, 5}, [](GraphBuilder& b) { return b.FinishFlat(Join(b, b.image(), b.image())); }},
      {"the residual is an output",
       {8, 1, 1},
       [](GraphBuilder& b) {
         const ValueId x = AddConv(b, b.image(), 8, 1);
         const ValueId embedding = b.Add(graph::Flatten(), {x});
         return b.Finish(b.Add(graph::Flatten(), {Join(b, AddConv(b, b.image(), 8), x)}), embedding);
       }},
      {"the sum without ReLU",
       {8, 5, 5},
       [](GraphBuilder& b) {
         const ValueId x = AddConv(b, b.image(), 8);
         return b.FinishFlat(Join(b, AddConv(b, b.image(), 8), x, false));
       }},
      {"ReLU of an embedding leaves the embedding alone",
       {8, 5, 5},
       [](GraphBuilder& b) {
         const ValueId pooled =
             b.Add(graph::Flatten(), {b.Add(graph::GlobalAveragePool(), {AddConv(b, b.image(), 6)})});
         return b.Finish(b.Add(b.Gemm(5, 6), {Relu(b, pooled)}), pooled);
       }},
      {"ReLU of what a flattened twin still needs",
       {6, 2, 2},
       [](GraphBuilder& b) {
         const ValueId x = AddConv(b, b.image(), 6);
         const ValueId flat = b.Add(graph::Flatten(), {x});
         const ValueId other = b.Add(graph::Flatten(), {Relu(b, x)});
         return b.FinishFlat(b.Add(graph::Add(), {flat, other}));
       }},
      {"one pixel: the flattened twin shares the buffer",
       {6, 1, 1},
       [](GraphBuilder& b) {
         const ValueId x = AddConv(b, b.image(), 6, 1);
         const ValueId flat = b.Add(graph::Flatten(), {x});
         const ValueId other = b.Add(graph::Flatten(), {Relu(b, x)});
         return b.FinishFlat(b.Add(graph::Add(), {flat, other}));
       }},
      {"the image has many readers, the last one late",
       {3, 6, 6},
       [](GraphBuilder& b) {
         ValueId x = AddConv(b, b.image(), 24);
         for (int i = 0; i < 4; ++i) x = AddConv(b, x, 24);
         return b.FinishFlat(b.Add(graph::Add(), {AddConv(b, b.image(), 24), x}));
       }},
      {"a branch of branches",
       {8, 6, 6},
       [](GraphBuilder& b) {
         const ValueId x = AddConv(b, b.image(), 16), y = AddConv(b, x, 16), z = AddConv(b, x, 16),
                       w = AddConv(b, y, 16);
         return b.FinishFlat(Join(b, Join(b, w, y), b.Add(graph::Add(), {z, x})));
       }},
  };
  for (const Case& c : cases) {
    GraphBuilder b(c.image);
    ExpectEqualsReference(c.build(b), c.what);
  }
}

TEST(PlanBuffers, OnePrimitiveABlock) {
  GraphBuilder b({16, 8, 8});
  const ValueId x = AddConv(b, b.image(), 16);
  graph::Conv last = b.Conv(16, 16, {3, 3});
  last.pads = {1, 1, 1, 1};
  const auto engine =
      CompileFor(b.FinishFlat(b.Add(last, {AddConv(b, x, 16), x}, {graph::Add(), graph::Relu()})), {1}, 1);
  ASSERT_TRUE(engine.ok()) << engine.status();
  std::vector<std::string> ops;
  for (const StepInfo& step : (*engine)->Describe(1)) {
    if (step.op != "Reorder") ops.push_back(step.op);
  }
  EXPECT_THAT(ops, testing::ElementsAre("Conv", "Conv", "Conv"));
  EXPECT_TRUE((*engine)->Describe(2).empty());
}

// On 7x7 pixels a lone image would have narrower blocks of channels on two threads than a batch has.
TEST(PlanBuffers, WeightsAreSharedByBatchSizes) {
  for (const auto& [side, threads] : {std::pair(14, 1), std::pair(7, 2)}) {
    GraphBuilder b({64, side, side});
    ValueId x = b.image();
    for (int i = 0; i < 4; ++i) x = AddConv(b, x, 64, 3, 1, {graph::Activation{.kind = graph::ActivationKind::kElu}});
    const Graph graph = b.FinishFlat(x);
    // Blocks of channels may be padded: on AVX2 some batch sizes want 64 channels in blocks of 24.
    size_t once = 4 * (64 * 64 * 9 + 64) * sizeof(float);
    const size_t most = once * 5 / 4;
    for (const int batch : {1, 2, 3, 4, 8, 16}) {
      const auto one = CompileFor(graph, {batch}, threads);
      ASSERT_TRUE(one.ok()) << one.status();
      EXPECT_LE((*one)->info().packed_weight_bytes, most) << side << ", batch " << batch;
      once = std::max(once, (*one)->info().packed_weight_bytes);
    }
    const auto many = CompileFor(graph, {1, 2, 3, 4, 8, 16}, threads);
    ASSERT_TRUE(many.ok()) << many.status();
    EXPECT_LE((*many)->info().packed_weight_bytes, once * 11 / 10) << side;
  }
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
  const Graph graph = b.FinishFlat(AddConv(b, b.image(), 16));
  const auto print = [&](std::vector<int> batches, int threads) {
    return (*CompileFor(graph, std::move(batches), threads))->info().plan_fingerprint;
  };
  EXPECT_EQ(print({1, 2}, 1), print({1, 2}, 1));
  EXPECT_NE(print({1, 2}, 1), print({1, 4}, 1));
  EXPECT_NE(print({1, 2}, 1), print({1, 2}, 2));
}

TEST(Compile, FingerprintTellsKernelsApart) {
  const Program program{.engine = dnnl::engine(dnnl::engine::kind::cpu, 0), .info = {}, .slot = {}, .plans = {}};
  EXPECT_EQ(Fingerprint(program), Fingerprint(program, kernels::kRevision));
  EXPECT_NE(Fingerprint(program), Fingerprint(program, kernels::kRevision + 1));
}

}  // namespace
}  // namespace resnetd::onednn
