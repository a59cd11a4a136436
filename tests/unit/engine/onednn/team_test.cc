// Kernels of ours, one after the other, by one team of threads: each may read what the one before it wrote.
#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/plan_checker.h"

namespace resnetd::onednn {
namespace {

using graph::ValueId;
using reference::GraphBuilder;

constexpr int64_t kChannels = 32;

ValueId AddGroupNorm(GraphBuilder& b, ValueId src) {
  return b.Add(graph::GroupNorm{b.Random({kChannels}, 0.5f, 1.5f), b.Random({kChannels}, -0.5f, 0.5f), 4}, {src});
}

ValueId AddScaleShift(GraphBuilder& b, ValueId src) {
  const graph::Binary scale{.kind = graph::BinaryKind::kMul, .constant = b.Random({kChannels, 1, 1}, 0.5f, 1.5f)};
  const graph::Binary shift{.kind = graph::BinaryKind::kAdd, .constant = b.Random({kChannels, 1, 1}, 0.5f, 1.5f)};
  return b.Add(scale, {src}, {shift});
}

// Each pixel moves, and with it to another thread's part.
ValueId AddPad(GraphBuilder& b, ValueId src, int64_t rows) {
  return b.Add(graph::Pad{.before = {0, rows, 1}, .after = {0, 0, 2}, .value = 0.5f}, {src});
}

// A convolution of the library's and six kernels of ours. The outputs are what the last of them yields, and what the
// third.
graph::Graph Network(int64_t padded_rows) {
  GraphBuilder b({3, 12, 10});
  const ValueId first = AddGroupNorm(b, AddConv(b, b.image(), kChannels, 1));
  const ValueId third = AddPad(b, AddScaleShift(b, first), 2);
  const ValueId fifth = AddPad(b, b.Add(graph::Activation{graph::ActivationKind::kErf}, {third}), padded_rows);
  return b.Finish(b.Add(graph::Flatten(), {AddGroupNorm(b, fifth)}), b.Add(graph::Flatten(), {third}));
}

std::vector<bool> OneThread(const graph::Graph& graph, int threads) {
  std::vector<bool> one;
  const auto engine = CompileFor(graph, {1}, threads);
  EXPECT_TRUE(engine.ok()) << engine.status();
  for (const StepInfo& step : (*engine)->Describe(1)) {
    const std::string& kernel = step.implementation;
    if (kernel == "group_normalise" || kernel == "scale_shift" || kernel == "slice_pad" || kernel == "erf") {
      one.push_back(step.one_thread);
    }
  }
  return one;
}

TEST(PlanTeam, IsFormedWhereOneKernelIsWorthIt) {
  const std::vector<bool> all_divided(6, false), none(6, true);
  // 32 channels of 16 columns: 32 rows are 16,384 elements.
  EXPECT_EQ(OneThread(Network(32 - 14), 2), all_divided);
  EXPECT_EQ(OneThread(Network(31 - 14), 2), none);
  EXPECT_EQ(OneThread(Network(31 - 14), 1), all_divided);
}

TEST(PlanTeam, ComputesWhatTheReferenceDoes) {
  for (const int64_t rows : {3, 18}) ExpectEqualsReferenceByThreads(Network(rows), "kernels of ours in a row", false);
}

// Two branches whose kernels alternate. Each output is what one of them yields.
graph::Graph Branches() {
  GraphBuilder b({3, 12, 10});
  const ValueId map = AddPad(b, AddConv(b, b.image(), kChannels, 1), 30);
  const ValueId a = AddScaleShift(b, map), c = AddScaleShift(b, map);
  const ValueId a2 = AddPad(b, a, 1), c2 = AddPad(b, c, 2);
  const ValueId a3 = AddGroupNorm(b, a2), c3 = AddGroupNorm(b, c2);
  return b.Finish(b.Add(graph::Flatten(), {a3}), b.Add(graph::Flatten(), {c3}));
}

TEST(PlanTeam, LeavesOutWhatNobodyWants) {
  struct Case {
    graph::Graph graph;
    int left_out[2];  // steps where only this output is wanted, with what lays the other out as a vector
  };
  for (const auto& [graph, left_out] : {Case{Network(18), {1, 4}}, {Branches(), {4, 4}}}) {
    const auto engine = CompileFor(graph, {4}, 3);
    ASSERT_TRUE(engine.ok()) << engine.status();
    const SessionRunner runner(*engine);
    const auto run = [&](OutputSet wanted, LayerProfile* profile) {
      for (int i = 0; i < 4; ++i) runner.Write(i, reference::RandomImage({3, 12, 10}, 7 + static_cast<uint32_t>(i)));
      EXPECT_TRUE(runner->Run({.count = 4, .wanted = wanted, .profile = profile}).ok());
      return AnswerOf(runner, 3);
    };
    LayerProfile all;
    const Answer both = run(OutputSet(3), &all);
    EXPECT_EQ(std::count(all.begin(), all.end(), Duration()), 0);
    for (const size_t wanted : {0, 1}) {
      LayerProfile some;
      const Answer one = run(OutputSet(1 << wanted), nullptr), timed = run(OutputSet(1 << wanted), &some);
      EXPECT_TRUE(SameBytes(one[wanted], both[wanted]) && SameBytes(timed[wanted], both[wanted]));
      EXPECT_TRUE(one[1 - wanted].empty() && timed[1 - wanted].empty());
      EXPECT_EQ(std::count(some.begin(), some.end(), Duration()), left_out[wanted]);
    }
  }
}

}  // namespace
}  // namespace resnetd::onednn
