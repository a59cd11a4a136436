// Random networks: plans against the reference executor, and which outputs are wanted, which must not matter.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/reference/random_graph.h"
#include "tests/support/plan_checker.h"
#include "tests/support/session_runner.h"

namespace resnetd::onednn {
namespace {

using graph::Graph;
using reference::RandomGraph;

std::string Describe(uint32_t seed, const Graph& graph) {
  return absl::StrCat("seed ", seed, "\n", graph::ToString(graph));
}

TEST(PlanRandom, EqualsReference) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    const Graph graph = RandomGraph(seed, {.fused = seed % 3 != 0, .outputs = static_cast<int>(seed % 4)});
    ExpectEqualsReference(graph, Describe(seed, graph), seed % 4 == 0 ? 2 : 1);
    if (HasFailure()) return;
  }
}

TEST(PlanRandom, OneOutputAloneIsWhatItIsAmongAll) {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    const Graph graph = RandomGraph(seed, {.fused = seed % 2 == 0, .outputs = 6});
    const auto engine = CompileFor(graph, {2}, 1);
    ASSERT_TRUE(engine.ok()) << engine.status() << Describe(seed, graph);
    const auto run = [&](const OutputSet& wanted) {
      const SessionRunner runner(*engine);  // its arena is full of NaN
      for (int i = 0; i < 2; ++i) {
        runner.Write(i, reference::RandomImage(graph.value(graph.input).dims, 100 + static_cast<uint32_t>(i)));
      }
      EXPECT_TRUE(runner->Run({.count = 2, .wanted = wanted}).ok());
      return std::pair(AnswerOf(runner, 0), AnswerOf(runner, 1));
    };
    const auto all = run(OutputSet().set());
    for (size_t wanted = 0; wanted < graph.outputs.size(); ++wanted) {
      const auto alone = run(OutputSet().set(wanted));
      for (size_t o = 0; o < graph.outputs.size(); ++o) {
        const std::string what = absl::StrCat(graph.outputs[o].name, " where ", graph.outputs[wanted].name,
                                              " is wanted, ", Describe(seed, graph));
        ASSERT_FALSE(all.first[o].empty()) << what;
        EXPECT_TRUE(SameBytes(alone.first[o], o == wanted ? all.first[o] : std::vector<float>())) << what;
        EXPECT_TRUE(SameBytes(alone.second[o], o == wanted ? all.second[o] : std::vector<float>())) << what;
      }
    }
    if (HasFailure()) return;
  }
}

TEST(PlanRandom, NothingWantedIsNothingComputed) {
  const Graph graph = RandomGraph(1, {.outputs = 3});
  const auto engine = CompileFor(graph, {1}, 1);
  ASSERT_TRUE(engine.ok()) << engine.status();
  const SessionRunner runner(*engine);
  runner.Write(0, reference::RandomImage(graph.value(graph.input).dims, 1));
  const std::vector<std::byte> before(runner.arena().begin(), runner.arena().end());
  ASSERT_TRUE(runner->Run({.count = 1, .wanted = OutputSet()}).ok());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), runner.arena().begin()));
  for (const std::vector<float>& output : AnswerOf(runner, 0)) EXPECT_TRUE(output.empty());
}

}  // namespace
}  // namespace resnetd::onednn
