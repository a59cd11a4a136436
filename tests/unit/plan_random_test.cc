// Random networks: plans against the reference executor, and what must not matter: which outputs are wanted, an image's
// batch mates and its slot.
#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/reference/random_graph.h"
#include "tests/unit/plan_checker.h"
#include "tests/unit/session_runner.h"

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

using Answer = std::vector<std::vector<float>>;  // by output

// What the run left of image `i`; of outputs nobody wanted, nothing.
Answer AnswerOf(const SessionRunner& runner, int i) {
  Answer answer;
  for (size_t o = 0; o < runner.engine().info().outputs.size(); ++o) {
    const absl::Span<const float> values = runner->output(static_cast<OutputId>(o), i);
    answer.emplace_back(values.begin(), values.end());
  }
  return answer;
}

// Bit for bit: -0 is not 0, a NaN equals itself.
bool SameBytes(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
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

// An image's bytes for one batch size, thread count and plan: in every slot, among mates of all kinds, NaN and infinite
// ones too, and in a batch that is not full.
void ExpectMatesDoNotMatter(const Graph& graph, int batch, int threads, const std::string& what) {
  const auto engine = CompileFor(graph, {batch}, threads);
  ASSERT_TRUE(engine.ok()) << engine.status() << what;
  const SessionRunner runner(*engine);
  const graph::Dims& dims = graph.value(graph.input).dims;
  const std::vector<float> image = reference::RandomImage(dims, 7);
  Answer first;
  for (int slot = 0; slot < batch; ++slot) {
    for (const int count : {slot + 1, batch}) {
      for (uint32_t mates = 0; mates < 4; ++mates) {
        for (int i = 0; i < count; ++i) {
          std::vector<float> mate = reference::RandomImage(dims, 1000 * (mates + 1) + static_cast<uint32_t>(i));
          if (mates == 1) std::fill(mate.begin(), mate.end(), std::numeric_limits<float>::quiet_NaN());
          if (mates == 2) std::fill(mate.begin(), mate.end(), std::numeric_limits<float>::infinity());
          runner.Write(i, i == slot ? image : mate);
        }
        ASSERT_TRUE(runner->Run({.count = count}).ok()) << what;
        const Answer answer = AnswerOf(runner, slot);
        if (first.empty()) first = answer;
        for (size_t o = 0; o < answer.size(); ++o) {
          ASSERT_TRUE(SameBytes(answer[o], first[o]))
              << graph.outputs[o].name << " in slot " << slot << " of " << count << ", mates " << mates << ", batch "
              << batch << ", threads " << threads << ": differs by " << reference::MaxDifference(answer[o], first[o])
              << "\n"
              << what;
        }
      }
    }
  }
}

TEST(PlanRandom, BatchMatesDoNotMatter) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    const Graph graph = RandomGraph(seed, {.fused = true, .outputs = 2});
    ExpectMatesDoNotMatter(graph, static_cast<int>(2 + seed % 5), seed % 4 == 0 ? 2 : 1, Describe(seed, graph));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace resnetd::onednn
