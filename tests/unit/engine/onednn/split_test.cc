// Plans whose first nodes run image by image: where the split is chosen, and that it changes no answer wherever it is.
#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "engine/onednn/split.h"
#include "gtest/gtest.h"
#include "tests/reference/random_graph.h"
#include "tests/support/plan_checker.h"
#include "tests/support/session_runner.h"

namespace resnetd::onednn {
namespace {

using graph::Graph;
using graph::ValueId;
using reference::GraphBuilder;

// Convolutions 3x3 of so many channels on a square image.
Graph Chain(int64_t channels, int64_t size, int layers) {
  GraphBuilder b({channels, size, size});
  ValueId x = b.image();
  for (int i = 0; i < layers; ++i) x = AddConv(b, x, channels);
  return b.FinishFlat(b.Add(graph::GlobalAveragePool(), {x}));
}

TEST(ChooseSplit, Where) {
  const Graph large_maps = Chain(32, 128, 4), large_weights = Chain(256, 8, 4), small = Chain(16, 16, 4);
  EXPECT_EQ(ChooseSplit(large_maps, 8, 1).nodes, 5u) << "all that has maps";
  EXPECT_EQ(ChooseSplit(large_weights, 8, 1).nodes, 0u);
  EXPECT_EQ(ChooseSplit(small, 8, 1).nodes, 0u) << "everything fits the cache";
  EXPECT_EQ(ChooseSplit(large_maps, 1, 1).nodes, 0u) << "one image is the batch";

  GraphBuilder b({32, 128, 128});
  ValueId x = b.image();
  for (int i = 0; i < 3; ++i) x = AddConv(b, x, 32);
  x = b.Add(graph::MaxPool{{16, 16}, {16, 16}, {1, 1}, {}, false}, {x});
  for (int i = 0; i < 3; ++i) x = AddConv(b, x, 256);
  EXPECT_EQ(ChooseSplit(b.FinishFlat(b.Add(graph::GlobalAveragePool(), {x})), 8, 1).nodes, 4u) << "behind the pool";
}

TEST(ChooseSplit, AnImageAThread) {
  const Graph graph = Chain(32, 128, 4);
  for (const auto& [batch, threads, lanes] :
       {std::tuple(8, 1, 1), {8, 2, 2}, {6, 4, 4}, {5, 2, 2}, {8, 3, 3}, {4, 8, 4}, {3, 3, 3}}) {
    const Split split = ChooseSplit(graph, batch, threads);
    EXPECT_EQ(split.lanes, lanes) << batch << " " << threads;
    EXPECT_EQ(split.nodes > 0, lanes < batch) << batch << " " << threads;
  }
}

TEST(PlanSplit, AnywhereInRandomNetworks) {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    const Graph graph = reference::RandomGraph(seed, {.fused = seed % 3 != 0, .outputs = static_cast<int>(seed % 4)});
    const size_t nodes = 1 + seed * 7 % graph.nodes.size();
    const auto split = [nodes](const Graph&, int batch, int threads) {
      return batch == 1 ? Split{} : Split{.nodes = nodes, .lanes = std::min(batch, threads)};
    };
    const auto engine = CompileFor(graph, {1, 2, 5}, 1 + static_cast<int>(seed % 3), split);
    ASSERT_TRUE(engine.ok()) << "seed " << seed << ": " << engine.status();
    const std::string what = absl::StrCat("seed ", seed, " split at ", nodes, "\n", graph::ToString(graph));
    ExpectEqualsReference(graph, *engine, what);
    if (HasFailure()) return;
  }
}

TEST(PlanSplit, Lanes) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    const Graph graph = reference::RandomGraph(seed, {.fused = true, .outputs = 2});
    const auto at_once = CompileFor(graph, {6}, 1, [](const Graph&, int, int) { return Split{}; });
    ASSERT_TRUE(at_once.ok()) << at_once.status();
    const SessionRunner expected(*at_once);
    for (const int lanes : {1, 2, 3, 4, 6}) {
      const auto engine = CompileFor(graph, {6}, lanes, [&](const Graph& g, int, int) {
        return Split{.nodes = g.nodes.size() / 2 + 1, .lanes = lanes};
      });
      ASSERT_TRUE(engine.ok()) << engine.status();
      const SessionRunner runner(*engine);
      for (const int count : {1, 4, 6}) {
        for (const SessionRunner* r : {&expected, &runner}) {
          for (int i = 0; i < count; ++i) r->Write(i, reference::RandomImage(graph.value(graph.input).dims, 10 + i));
          ASSERT_TRUE((*r)->Run({.count = count}).ok());
        }
        for (int i = 0; i < count; ++i) {
          for (size_t o = 0; o < graph.outputs.size(); ++o) {
            const auto right = expected->output(static_cast<OutputId>(o), i);
            EXPECT_LE(reference::MaxDifference(runner->output(static_cast<OutputId>(o), i), right),
                      1e-5 * reference::MaxAbs(right))
                << "seed " << seed << ", " << lanes << " lanes, image " << i << " of " << count;
          }
        }
      }
    }
    if (HasFailure()) return;
  }
}

TEST(PlanSplit, SmallerArena) {
  const Graph graph = Chain(32, 128, 4);
  const auto split = CompileFor(graph, {8}, 1),
             whole = CompileFor(graph, {8}, 1, [](const Graph&, int, int) { return Split{}; });
  ASSERT_TRUE(split.ok() && whole.ok());
  EXPECT_LT((*split)->arena_bytes() * 3, (*whole)->arena_bytes() * 2);
  EXPECT_EQ((*split)->Describe(8).front().multiply_adds, (*whole)->Describe(8).front().multiply_adds);
}

}  // namespace
}  // namespace resnetd::onednn
