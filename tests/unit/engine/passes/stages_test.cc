// Tests which maps are stages, and that all passes together keep what random networks compute.
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/passes/passes.h"
#include "gtest/gtest.h"
#include "tests/reference/executor.h"
#include "tests/reference/random_graph.h"
#include "tests/support/pass_checker.h"

namespace resnetd::passes {
namespace {

using graph::Graph;
using graph::ValueId;
using reference::GraphBuilder;

ValueId Half(GraphBuilder& b, ValueId src) {
  return b.Add(graph::MaxPool{{2, 2}, {2, 2}, {}, {}, true}, {src});
}
// relu(conv(x) + x)
ValueId Block(GraphBuilder& b, ValueId x) {
  return Relu(b, Add(b, Conv(b, x, b.dims(x)[0]), x));
}

// "stage1 n3, stage2 n7": each stage and the map whose mean it is; checks that it is.
std::string Stages(const Graph& before) {
  Graph graph = before;
  EXPECT_TRUE(MarkStages(graph).ok());
  ExpectComputesTheSame(before, graph, 0, "stages");
  const std::vector<float> image = reference::RandomImage(graph.value(graph.input).dims, 5);
  const auto values = reference::Run(graph, image);
  std::vector<std::string> stages;
  for (size_t o = before.outputs.size(); o < graph.outputs.size(); ++o) {
    const std::vector<float>& mean = values[static_cast<size_t>(graph.outputs[o].value)];
    for (const graph::Node& node : before.nodes) {
      const std::vector<float>& map = values[static_cast<size_t>(node.output)];
      if (before.value(node.output).dims.size() != 3 || map.size() % mean.size() != 0) continue;
      std::vector<float> right;
      const size_t pixels = map.size() / mean.size();
      for (auto at = map.begin(); at != map.end(); at += static_cast<ptrdiff_t>(pixels)) {
        right.push_back(static_cast<float>(std::accumulate(at, at + static_cast<ptrdiff_t>(pixels), 0.0) /
                                           static_cast<double>(pixels)));
      }
      if (right == mean) stages.push_back(absl::StrCat(graph.outputs[o].name, " ", node.name));
    }
  }
  return absl::StrJoin(stages, ", ");
}

TEST(MarkStages, Cases) {
  struct Case {
    const char* what;
    std::function<Graph(GraphBuilder&)> build;  // on an image of 3x32x32
    const char* expected;
  };
  const std::vector<Case> cases = {
      {"no block", [](GraphBuilder& b) { return b.FinishFlat(Relu(b, Conv(b, b.image(), 4))); }, ""},
      {"one", [](GraphBuilder& b) { return b.FinishFlat(Block(b, b.image())); }, "stage1 n2"},
      {"the last of each size",
       [](GraphBuilder& b) { return b.FinishFlat(Block(b, Half(b, Block(b, Block(b, b.image()))))); },
       "stage1 n5, stage2 n9"},
      {"the last four sizes",
       [](GraphBuilder& b) {
         ValueId x = Block(b, b.image());
         for (int i = 0; i < 4; ++i) x = Block(b, Half(b, x));
         return b.FinishFlat(x);
       },
       "stage1 n6, stage2 n10, stage3 n14, stage4 n18"},
      {"a sum without activation: pre-activation",
       [](GraphBuilder& b) {
         const ValueId x = Conv(b, b.image(), 4);
         const ValueId sum = Add(b, Conv(b, Relu(b, x), 4), x);
         return b.FinishFlat(Add(b, Conv(b, Relu(b, sum), 4), sum));
       },
       "stage1 n6"},
      {"what the activation is of has another reader",
       [](GraphBuilder& b) {
         const ValueId sum = Add(b, Conv(b, b.image(), 3), b.image());
         return b.FinishFlat(Half(b, b.Add(graph::Concat{0}, {sum, Relu(b, sum)})));
       },
       "stage1 n1"},
      {"a constant is no shortcut",
       [](GraphBuilder& b) { return b.FinishFlat(WithScalar(b, b.image(), graph::BinaryKind::kAdd, 1)); }, ""},
      {"nor is what is repeated",
       [](GraphBuilder& b) { return b.FinishFlat(Add(b, b.image(), b.Add(graph::GlobalAveragePool(), {b.image()}))); },
       ""},
      {"nor are vectors blocks",
       [](GraphBuilder& b) {
         const ValueId x = b.Add(graph::Flatten(), {b.Add(graph::GlobalAveragePool(), {b.image()})});
         return b.FinishFlat(Add(b, b.Add(b.Gemm(3, 3), {x}), x));
       },
       ""},
  };
  for (const Case& c : cases) {
    GraphBuilder b({3, 32, 32});
    EXPECT_EQ(Stages(c.build(b)), c.expected) << c.what;
  }
}

TEST(MarkStages, TheFilesOwnNameWins) {
  GraphBuilder b({3, 32, 32});
  const ValueId x = Block(b, b.image());
  Graph graph = b.FinishFlat(x);
  graph.outputs.push_back({"stage1", x});
  ASSERT_TRUE(MarkStages(graph).ok());
  ASSERT_EQ(graph.outputs.size(), 2u);
  EXPECT_EQ(graph.FindOutput("stage1")->value, x);
}

TEST(EachPass, KeepsWhatRandomNetworksCompute) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    const Graph first = reference::RandomGraph(seed, {.outputs = static_cast<int>(seed % 4)});
    Graph after = first;
    for (const NamedPass& pass : AllPasses()) {
      const Graph before = after;
      const absl::Status status = pass.run(after);
      ASSERT_TRUE(status.ok()) << pass.name << ": " << status;
      ExpectComputesTheSame(before, after, 2e-6,
                            absl::StrCat(pass.name, ", seed ", seed, "\n", graph::ToString(before)));
      if (HasFailure()) return;
    }
    ExpectComputesTheSame(first, after, 1e-5, absl::StrCat("all, seed ", seed, "\n", graph::ToString(first)));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace resnetd::passes
