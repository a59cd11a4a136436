#include "engine/passes/fold_input.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/reference/graph_builder.h"
#include "tests/support/pass_checker.h"

namespace resnetd::passes {
namespace {

using graph::BinaryKind;
using graph::Graph;
using graph::ValueId;
using reference::GraphBuilder;
using testing::DoubleEq;
using testing::ElementsAre;
using testing::IsEmpty;

ValueId With(GraphBuilder& b, BinaryKind kind, graph::Dims dims, std::vector<float> values, ValueId src) {
  return b.Add(graph::Binary{kind, graph::MakeWeights("c", std::move(dims), std::move(values))}, {src});
}

std::vector<std::string> OpsOf(const Graph& graph) {
  std::vector<std::string> ops;
  for (const graph::Node& node : graph.nodes) ops.emplace_back(OpName(node.op));
  return ops;
}

// (x - 4) / 8 of each channel.
ValueId Normalised(GraphBuilder& b, ValueId src) {
  return With(b, BinaryKind::kDiv, {1, 1, 1}, {8}, With(b, BinaryKind::kSub, {3, 1, 1}, {4, 4, 4}, src));
}

TEST(FoldInput, TakesOutWhatScalesAndShifts) {
  GraphBuilder b({3, 4, 4}, 1);
  Graph graph = b.FinishFlat(Conv(b, Normalised(b, b.image()), 2));
  ASSERT_TRUE(FoldInput(true, graph).ok());
  EXPECT_THAT(OpsOf(graph), ElementsAre("Conv", "Reshape"));
  EXPECT_TRUE(graph.input_values.are_bytes);
  EXPECT_THAT(graph.input_values.factors, ElementsAre(DoubleEq(0.125), DoubleEq(0.125), DoubleEq(0.125)));
  EXPECT_THAT(graph.input_values.shifts, ElementsAre(DoubleEq(-0.5), DoubleEq(-0.5), DoubleEq(-0.5)));
  EXPECT_TRUE(Validate(graph).ok());
}

TEST(FoldInput, KeepsATranspose) {
  GraphBuilder b({3, 4, 4}, 1);
  Graph graph =
      b.FinishFlat(With(b, BinaryKind::kMul, {1, 1, 3}, {2, 3, 4}, b.Add(graph::Transpose{{1, 2, 0}}, {b.image()})));
  const graph::Dims dims = graph.value(graph.nodes.back().output).dims;
  ASSERT_TRUE(FoldInput(true, graph).ok());
  EXPECT_THAT(OpsOf(graph), ElementsAre("Transpose", "Reshape"));
  EXPECT_THAT(graph.input_values.factors, ElementsAre(2, 3, 4));
  EXPECT_TRUE(Validate(graph).ok());
}

TEST(FoldInput, StopsBeforeWhatIsNoRecipe) {
  GraphBuilder b({3, 4, 4}, 1);
  const ValueId negative = With(b, BinaryKind::kMul, {1, 1, 1}, {-1}, Normalised(b, b.image()));
  Graph graph = b.FinishFlat(negative);
  ASSERT_TRUE(FoldInput(true, graph).ok());
  EXPECT_THAT(OpsOf(graph), ElementsAre("Mul", "Reshape"));
  GraphBuilder other({3, 4, 4}, 1);
  graph = other.FinishFlat(Relu(other, other.image()));
  ASSERT_TRUE(FoldInput(true, graph).ok());
  EXPECT_THAT(OpsOf(graph), ElementsAre("Relu", "Reshape"));
  EXPECT_THAT(graph.input_values.factors, ElementsAre(1, 1, 1));
}

TEST(FoldInput, LeavesFloatsAndSaysWhatTheyAre) {
  const auto are_pixels = [](float factor) {
    GraphBuilder b({3, 4, 4}, 1);
    Graph graph = b.FinishFlat(With(b, BinaryKind::kMul, {1, 1, 1}, {factor}, b.image()));
    EXPECT_TRUE(FoldInput(false, graph).ok());
    EXPECT_THAT(OpsOf(graph), ElementsAre("Mul", "Reshape"));
    EXPECT_THAT(graph.input_values.factors, IsEmpty());
    EXPECT_FALSE(graph.input_values.are_bytes);
    return graph.input_values.are_pixels;
  };
  EXPECT_TRUE(are_pixels(1 / 255.0f));
  EXPECT_TRUE(are_pixels(1 / 58.0f));
  EXPECT_FALSE(are_pixels(1));
  EXPECT_FALSE(are_pixels(2));
}

}  // namespace
}  // namespace resnetd::passes
