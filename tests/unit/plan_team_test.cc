// Kernels of ours, one after the other, by one team of threads: each may read what the one before it wrote.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/unit/plan_checker.h"

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

// A convolution of the library's, five kernels of ours, and a classifier. The outputs are what the last of them yields,
// and what the third.
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

TEST(PlanTeam, LeavesOutWhatNobodyWants) {
  const graph::Graph graph = Network(18);
  const auto engine = CompileFor(graph, {4}, 3);
  ASSERT_TRUE(engine.ok()) << engine.status();
  const SessionRunner runner(*engine);
  const auto run = [&](OutputSet wanted) {
    for (int i = 0; i < 4; ++i) runner.Write(i, reference::RandomImage({3, 12, 10}, 7 + static_cast<uint32_t>(i)));
    EXPECT_TRUE(runner->Run({.count = 4, .wanted = wanted}).ok());
    return AnswerOf(runner, 3);
  };
  const Answer both = run(OutputSet().set()), last = run(OutputSet(1)), third = run(OutputSet(2));
  EXPECT_TRUE(SameBytes(last[0], both[0]));
  EXPECT_TRUE(last[1].empty());
  EXPECT_TRUE(SameBytes(third[1], both[1]));
  EXPECT_TRUE(third[0].empty());
}

}  // namespace
}  // namespace resnetd::onednn
