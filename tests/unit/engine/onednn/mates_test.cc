// An image's answer may depend on the batch size, the thread count and the plan, and on nothing else: not on its slot,
// nor on its batch mates, whatever they are, nor on how full the batch is. Bit for bit.
#include <algorithm>
#include <functional>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/reference/random_graph.h"
#include "tests/support/plan_checker.h"

namespace resnetd::onednn {
namespace {

using graph::Activation;
using graph::ActivationKind;
using graph::Graph;
using graph::ValueId;
using reference::GraphBuilder;

// The images that sit beside the image: others, NaN everywhere, infinities, and others again.
std::vector<float> Mate(const graph::Dims& dims, uint32_t kind, int slot) {
  std::vector<float> mate = reference::RandomImage(dims, 1000 * (kind + 1) + static_cast<uint32_t>(slot));
  if (kind == 1) std::fill(mate.begin(), mate.end(), std::numeric_limits<float>::quiet_NaN());
  if (kind == 2) std::fill(mate.begin(), mate.end(), std::numeric_limits<float>::infinity());
  return mate;
}

void ExpectMatesDoNotMatter(const Graph& graph, int batch, int threads, const std::string& what) {
  const auto engine = CompileFor(graph, {batch}, threads);
  ASSERT_TRUE(engine.ok()) << engine.status() << what;
  const SessionRunner runner(*engine);
  const graph::Dims& dims = graph.value(graph.input).dims;
  const std::vector<float> image = reference::RandomImage(dims, 7);
  Answer first;
  for (int slot = 0; slot < batch; ++slot) {
    for (const int count : {slot + 1, batch}) {
      for (uint32_t kind = 0; kind < 4; ++kind) {
        for (int i = 0; i < count; ++i) runner.Write(i, i == slot ? image : Mate(dims, kind, i));
        ASSERT_TRUE(runner->Run({.count = count}).ok()) << what;
        const Answer answer = AnswerOf(runner, slot);
        if (first.empty()) first = answer;
        for (size_t o = 0; o < answer.size(); ++o) {
          ASSERT_TRUE(SameBytes(answer[o], first[o]))
              << graph.outputs[o].name << " in slot " << slot << " of " << count << ", mates " << kind << ", batch "
              << batch << ", threads " << threads << ": differs by " << reference::MaxDifference(answer[o], first[o])
              << "\n"
              << what;
        }
      }
    }
  }
}

TEST(PlanMates, RandomNetworks) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    const Graph graph = reference::RandomGraph(seed, {.fused = true, .outputs = 2});
    ExpectMatesDoNotMatter(graph, static_cast<int>(2 + seed % 5), seed % 4 == 0 ? 2 : 1,
                           absl::StrCat("seed ", seed, "\n", graph::ToString(graph)));
    if (HasFatalFailure()) return;
  }
}

ValueId Grouped(GraphBuilder& b, ValueId src, int64_t groups, int64_t stride, graph::PostOps post_ops = {}) {
  const int64_t channels = b.dims(src)[0];
  graph::Conv conv = b.Conv(channels, channels / groups, {3, 3});
  conv.pads = {1, 1, 1, 1};
  conv.strides = {stride, stride};
  conv.groups = groups;
  return b.Add(conv, {src}, std::move(post_ops));
}

ValueId Gate(GraphBuilder& b, ValueId src) {
  const ValueId pooled = b.Add(graph::GlobalAveragePool(), {src});
  const ValueId narrow = AddConv(b, pooled, 8, 1, 1, {graph::Relu()});
  return AddConv(b, narrow, b.dims(src)[0], 1, 1, {Activation{ActivationKind::kSigmoid}});
}

ValueId GroupNorm(GraphBuilder& b, ValueId src, int64_t groups) {
  const int64_t channels = b.dims(src)[0];
  return b.Add(graph::GroupNorm{b.Random({channels}, 0.5f, 1.5f), b.Random({channels}, -0.5f, 0.5f), groups}, {src},
               {graph::Relu()});
}

// The block of a family, from a map of 32x26x26 on. Large enough that threads divide the work.
struct Family {
  const char* what;
  std::function<ValueId(GraphBuilder&, ValueId)> block;
};

TEST(PlanMates, Families) {
  const Activation relu = graph::Relu(), swish = {ActivationKind::kSwish, 1};
  const std::vector<Family> families = {
      {"basic block",
       [=](GraphBuilder& b, ValueId x) {
         return AddConv(b, AddConv(b, x, 32, 3, 1, {relu}), 32, 3, 1, {graph::Add(), relu}, {x});
       }},
      {"bottleneck with a projection",
       [=](GraphBuilder& b, ValueId x) {
         const ValueId projection = AddConv(b, x, 64, 1, 2);
         const ValueId y = AddConv(b, AddConv(b, x, 16, 1, 1, {relu}), 16, 3, 2, {relu});
         return AddConv(b, y, 64, 1, 1, {graph::Add(), relu}, {projection});
       }},
      {"groups", [=](GraphBuilder& b, ValueId x) { return Grouped(b, Grouped(b, x, 8, 1, {relu}), 2, 2, {relu}); }},
      {"inverted residual",
       [=](GraphBuilder& b, ValueId x) {
         const ValueId wide = Grouped(b, AddConv(b, x, 96, 1, 1, {swish}), 96, 1, {swish});
         return AddConv(b, wide, 32, 1, 1, {graph::Add()}, {x});
       }},
      {"squeeze and excitation",
       [=](GraphBuilder& b, ValueId x) {
         const ValueId y = AddConv(b, x, 32, 3, 1, {relu});
         return b.Add(graph::Binary{graph::BinaryKind::kMul, nullptr}, {y, Gate(b, y), x}, {graph::Add(), relu});
       }},
      {"group norm",
       [=](GraphBuilder& b, ValueId x) { return GroupNorm(b, AddConv(b, GroupNorm(b, AddConv(b, x, 32), 8), 32), 1); }},
      {"pre-activation",
       [=](GraphBuilder& b, ValueId x) {
         const graph::Binary factor = {graph::BinaryKind::kMul, b.Random({32, 1, 1}, 0.5f, 2)},
                             shift = {graph::BinaryKind::kAdd, b.Random({32, 1, 1}, -1, 1)};
         return AddConv(b, b.Add(factor, {x}, {shift, relu}), 32, 3, 1, {graph::Add()}, {x});
       }},
      {"pools and option A",
       [=](GraphBuilder& b, ValueId x) {
         const ValueId half = b.Add(graph::Slice{{0, 0, 0}, {32, 26, 26}, {1, 2, 2}}, {x});
         const ValueId wide = b.Add(graph::Pad{{8, 0, 0}, {8, 0, 0}}, {half});
         const ValueId pooled = b.Add(graph::AveragePool{{2, 2}, {2, 2}, {}}, {x});
         return AddConv(b, pooled, 48, 3, 1, {graph::Add(), relu}, {wide});
       }},
      {"softmax and length of rows",
       [=](GraphBuilder& b, ValueId x) {
         return b.Add(graph::Softmax{0}, {b.Add(graph::Reduce{graph::ReduceKind::kL2, {2}}, {x})});
       }},
  };
  for (const Family& family : families) {
    for (const auto& [batch, threads] : {std::pair(3, 1), {8, 1}, {3, 2}, {8, 2}}) {
      GraphBuilder b({3, 26, 26});
      const ValueId map = family.block(b, AddConv(b, b.image(), 32, 3, 1, {relu}));
      const ValueId pooled = b.Add(graph::Flatten(), {b.Add(graph::GlobalAveragePool(), {map})});
      Graph graph = b.Finish(b.Add(b.Gemm(10, b.dims(pooled)[0]), {pooled}), pooled);
      graph.outputs.push_back({"map", map});
      ExpectMatesDoNotMatter(graph, batch, threads, family.what);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace resnetd::onednn
