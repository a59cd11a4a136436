// The reference executor against values computed by hand, so that what every other test is compared with is itself
// right. Weights like {1, 10, 100, 1000} make a result spell the elements it was made of.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/reference/executor.h"

namespace resnetd::reference {
namespace {

using graph::Activation;
using graph::ActivationKind;
using graph::Binary;
using graph::BinaryKind;
using graph::Dims;
using graph::PadMode;
using graph::ReduceKind;
using Values = std::vector<float>;

struct Operand {
  Dims dims;
  Values values;
};

struct Case {
  const char* what;
  graph::Op op;
  std::vector<Operand> inputs;
  Operand expected;
  graph::PostOps post_ops = {};
};

graph::WeightsRef Learnt(Dims dims, Values values) {
  return std::make_shared<const graph::Weights>(graph::Weights{"w", std::move(dims), std::move(values)});
}
graph::WeightsRef Vector(const Values& values) {
  return Learnt({static_cast<int64_t>(values.size())}, values);
}

// A graph's only input is one vector, all operands one after the other; each is cut out of it and brought into shape.
void Check(const Case& c) {
  graph::Graph graph;
  Values image;
  for (const Operand& operand : c.inputs) image.insert(image.end(), operand.values.begin(), operand.values.end());
  const auto size = static_cast<int64_t>(image.size());
  graph.input = graph.AddValue("image");
  graph.value(graph.input).dims = {size};
  graph::Node node{"tested", c.op, {}, {}, c.post_ops};
  int64_t at = 0;
  for (const Operand& operand : c.inputs) {
    const int64_t end = at + static_cast<int64_t>(operand.values.size());
    const graph::ValueId part = graph.AddValue("part"), shaped = graph.AddValue("operand");
    graph.nodes.push_back({"cut", graph::Slice{{at}, {end}, {1}}, {graph.input}, part});
    graph.nodes.push_back({"shape", graph::Reshape{operand.dims}, {part}, shaped});
    node.inputs.push_back(shaped);
    at = end;
  }
  node.output = graph.AddValue("result");
  graph.outputs = {{"result", node.output}};
  graph.nodes.push_back(node);
  const absl::Status inferred = graph::InferShapes(graph);
  ASSERT_TRUE(inferred.ok()) << c.what << ": " << inferred;
  ASSERT_TRUE(graph::Validate(graph).ok()) << c.what;
  EXPECT_EQ(graph.value(node.output).dims, c.expected.dims) << c.what;
  const std::vector<Values> values = Run(graph, image);
  EXPECT_THAT(values.back(), testing::Pointwise(testing::FloatNear(2e-6f), c.expected.values)) << c.what;
}

graph::Conv Conv(Dims weights, Values values, graph::Size2 strides = {}, graph::Pads2 pads = {},
                 graph::Size2 dilations = {}, int64_t groups = 1, graph::WeightsRef bias = nullptr) {
  return {Learnt(std::move(weights), std::move(values)), std::move(bias), strides, dilations, pads, groups};
}

const Operand kNine = {{1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}};
const Values kDigits = {1, 10, 100, 1000};

TEST(Reference, Layers) {
  const std::vector<Case> cases = {
      {"2x2", Conv({1, 1, 2, 2}, kDigits), {kNine}, {{1, 2, 2}, {5421, 6532, 8754, 9865}}},
      {"bias",
       Conv({1, 1, 2, 2}, kDigits, {}, {}, {}, 1, Vector({0.5f})),
       {kNine},
       {{1, 2, 2}, {5421.5f, 6532.5f, 8754.5f, 9865.5f}}},
      {"padding above and to the right, rows by two",
       Conv({1, 1, 2, 2}, kDigits, {2, 1}, {1, 0, 0, 2}),
       {{{1, 2, 3}, {1, 2, 3, 4, 5, 6}}},
       {{1, 1, 4}, {2100, 3200, 300, 0}}},
      {"padding to the left and below, columns by two",
       Conv({1, 1, 2, 2}, kDigits, {1, 2}, {0, 1, 1, 0}),
       {{{1, 2, 3}, {1, 2, 3, 4, 5, 6}}},
       {{1, 2, 2}, {4010, 6532, 40, 65}}},
      {"every second row", Conv({1, 1, 2, 2}, kDigits, {}, {}, {2, 1}), {kNine}, {{1, 1, 2}, {8721, 9832}}},
      {"every second column", Conv({1, 1, 2, 2}, kDigits, {}, {}, {1, 2}), {kNine}, {{1, 2, 1}, {6431, 9764}}},
      {"two channels in", Conv({1, 2, 1, 1}, {1, 10}), {{{2, 1, 2}, {3, 4, 5, 6}}}, {{1, 1, 2}, {53, 64}}},
      {"two out", Conv({2, 1, 1, 1}, {1, 10}), {{{1, 1, 2}, {3, 4}}}, {{2, 1, 2}, {3, 4, 30, 40}}},
      {"groups",
       Conv({4, 1, 1, 1}, kDigits, {}, {}, {}, 2, Vector({0.5f, 0, 0, 0})),
       {{{2, 1, 1}, {3, 5}}},
       {{4, 1, 1}, {3.5f, 30, 500, 5000}}},
      {"groups of two",
       Conv({2, 2, 1, 1}, kDigits, {}, {}, {}, 2),
       {{{4, 1, 1}, {1, 2, 3, 4}}},
       {{2, 1, 1}, {21, 4300}}},
      {"gemm",
       graph::Gemm{Learnt({3, 2}, {1, 10, 100, 1000, 0, 1}), Vector({0, 0, 7})},
       {{{2}, {3, 5}}},
       {{3}, {53, 5300, 12}}},
      {"gemm of rows", graph::Gemm{Learnt({1, 2}, {1, 10}), nullptr}, {{{2, 2}, {3, 5, 7, 9}}}, {{2, 1}, {53, 97}}},
      {"batch norm: 2 * (x - 1) / 2 + 1 and 3 * (x - 2) / 3",
       graph::BatchNorm{Vector({2, 3}), Vector({1, 0}), Vector({1, 2}), Vector({3, 8}), 1},
       {{{2, 1, 2}, {3, 5, 8, 2}}},
       {{2, 1, 2}, {3, 5, 6, 0}}},
      {"one group: mean 4, variance 5 + 4",
       graph::GroupNorm{Vector({3, 6}), Vector({0, 1}), 1, 4},
       {{{2, 1, 2}, {1, 3, 5, 7}}},
       {{2, 1, 2}, {-3, -1, 3, 7}}},
      {"as many groups as channels: means 2 and 6, variance 1 + 3",
       graph::GroupNorm{Vector({3, 6}), Vector({0, 1}), 2, 3},
       {{{2, 1, 2}, {1, 3, 5, 7}}},
       {{2, 1, 2}, {-1.5f, 1.5f, -2, 4}}},
      {"layer norm of the channels: means 3 and 5, variances 4 + 5",
       graph::LayerNorm{Vector({3, 6}), Vector({0, 1}), 0, 5},
       {{{2, 1, 2}, {1, 3, 5, 7}}},
       {{2, 1, 2}, {-2, -2, 5, 5}}},
      {"layer norm of the columns: means 2 and 6, variances 1 + 3",
       graph::LayerNorm{Vector({2, 4}), Vector({0, 1}), 2, 3},
       {{{2, 1, 2}, {1, 3, 5, 7}}},
       {{2, 1, 2}, {-1, 3, -1, 3}}},
      {"length 5", graph::L2Norm{}, {{{2}, {3, -4}}}, {{2}, {0.6f, -0.8f}}},
      {"lengths 5 and 10 of pixels",
       graph::L2Norm{},
       {{{2, 1, 2}, {3, 6, 4, 8}}},
       {{2, 1, 2}, {0.6f, 0.6f, 0.8f, 0.8f}}},
      {"lengths 5 and 10 of rows", graph::L2Norm{1}, {{{2, 2}, {3, 4, 6, 8}}}, {{2, 2}, {0.6f, 0.8f, 0.6f, 0.8f}}},
      {"sqrt(25 + 11) + 4", graph::L2Norm{0, 11, 0, 4}, {{{2}, {3, 4}}}, {{2}, {0.3f, 0.4f}}},
      {"at least 10", graph::L2Norm{0, 0, 10, 0}, {{{2}, {3, 4}}}, {{2}, {0.3f, 0.4f}}},
      {"lengths 5 and 10, their mean 7.5 + 2.5",
       graph::ResponseNorm{Vector({2, 3}), Vector({0, 1}), 2.5f},
       {{{2, 1, 2}, {3, 4, 6, -8}}},
       {{2, 1, 2}, {6, 8, 25, -31}}},
      {"three neighbours: sums of squares 5, 14, 13",
       graph::LocalResponseNorm{3, 3, 1, 1},
       {{{3}, {1, 2, 3}}},
       {{3}, {1.0f / 6, 2.0f / 15, 3.0f / 14}}},
      {"two neighbours, the other behind: sums of squares 5, 13, 9",
       graph::LocalResponseNorm{2, 2, 0.5f, 0},
       {{{3}, {1, 2, 3}}},
       {{3}, {0.4472136f, 0.5547002f, 1}}},
      {"two groups of two channels of a vector: means 2 and 6, variance 1 + 3",
       graph::GroupNorm{Vector({1, 2, 4, 8}), Vector({0, 0, 1, 1}), 2, 3},
       {{{4}, {1, 3, 5, 7}}},
       {{4}, {-0.5f, 1, -1, 5}}},
  };
  for (const Case& c : cases) Check(c);
}

// Values of Python's math module by the formulas in ops.h.
TEST(Reference, Activations) {
  struct Function {
    Activation activation;
    Values expected;  // of -3, -0.5, 0, 0.5, 3
  };
  using Kind = ActivationKind;
  const std::vector<Function> functions = {
      {{Kind::kRelu}, {0, 0, 0, 0.5f, 3}},
      {{Kind::kLeakyRelu, 0.1f}, {-0.3f, -0.05f, 0, 0.5f, 3}},
      {{Kind::kElu, 2}, {-1.9004259f, -0.78693868f, 0, 0.5f, 3}},
      {{Kind::kClip, -1, 2}, {-1, -0.5f, 0, 0.5f, 2}},
      {{Kind::kLinear, 2, 0.5f}, {-5.5f, -0.5f, 0.5f, 1.5f, 6.5f}},
      {{Kind::kPow, 3}, {-27, -0.125f, 0, 0.125f, 27}},
      {{Kind::kExp}, {0.049787068f, 0.60653066f, 1, 1.6487213f, 20.085537f}},
      {{Kind::kErf}, {-0.99997791f, -0.52049988f, 0, 0.52049988f, 0.99997791f}},
      {{Kind::kTanh}, {-0.99505475f, -0.46211716f, 0, 0.46211716f, 0.99505475f}},
      {{Kind::kSigmoid}, {0.047425873f, 0.37754067f, 0.5f, 0.62245933f, 0.95257413f}},
      {{Kind::kHardSigmoid, 0.25f, 0.5f}, {0, 0.375f, 0.5f, 0.625f, 1}},
      {{Kind::kHardSwish, 1.0f / 6, 0.5f}, {0, -0.20833333f, 0, 0.29166667f, 3}},
      {{Kind::kSwish, 1}, {-0.14227762f, -0.18877033f, 0, 0.31122967f, 2.8577224f}},
      {{Kind::kSwish, 1.702f}, {-0.01807131f, -0.14961156f, 0, 0.35038844f, 2.9819287f}},
      {{Kind::kGelu}, {-0.0040496941f, -0.15426877f, 0, 0.34573123f, 2.9959503f}},
      {{Kind::kGeluTanh}, {-0.0036373921f, -0.15428599f, 0, 0.34571401f, 2.9963626f}},
      {{Kind::kAbs}, {3, 0.5f, 0, 0.5f, 3}},
      {{Kind::kSoftplus}, {0.048587352f, 0.47407698f, 0.69314718f, 0.97407698f, 3.0485874f}},
      {{Kind::kMish}, {-0.14564746f, -0.22074377f, 0, 0.37524521f, 2.986535f}},
  };
  for (const Function& f : functions) {
    Check({OpName(f.activation).data(), f.activation, {{{5}, {-3, -0.5f, 0, 0.5f, 3}}}, {{5}, f.expected}});
  }
  Check({"Sqrt", Activation{Kind::kSqrt}, {{{4}, {0, 0.25f, 2, 9}}}, {{4}, {0, 0.5f, 1.4142136f, 3}}});
  Check({"Log", Activation{Kind::kLog}, {{{3}, {0.5f, 1, 2}}}, {{3}, {-0.69314718f, 0, 0.69314718f}}});
  Check({"Pow, a half", Activation{Kind::kPow, 0.5f}, {{{3}, {0, 0.25f, 9}}}, {{3}, {0, 0.5f, 3}}});
  Check({"slope per channel",
         graph::PRelu{Vector({0.5f, 0.1f})},
         {{{2, 1, 2}, {-4, 4, -4, 4}}},
         {{2, 1, 2}, {-2, 4, -0.4f, 4}}});
}

TEST(Reference, Binaries) {
  const Operand column = {{2, 1}, {6, 12}}, row = {{1, 3}, {1, 2, 3}};
  const auto constant = [](BinaryKind kind, bool reversed) { return Binary{kind, Learnt({1, 2}, {2, 4}), reversed}; };
  const Operand pair = {{1, 2}, {6, 12}};
  const std::vector<Case> cases = {
      {"add", graph::Add(), {column, row}, {{2, 3}, {7, 8, 9, 13, 14, 15}}},
      {"sub", Binary{BinaryKind::kSub, nullptr}, {column, row}, {{2, 3}, {5, 4, 3, 11, 10, 9}}},
      {"mul", Binary{BinaryKind::kMul, nullptr}, {column, row}, {{2, 3}, {6, 12, 18, 12, 24, 36}}},
      {"div", Binary{BinaryKind::kDiv, nullptr}, {column, row}, {{2, 3}, {6, 3, 2, 12, 6, 4}}},
      {"sub, reversed", Binary{BinaryKind::kSub, nullptr, true}, {column, row}, {{2, 3}, {-5, -4, -3, -11, -10, -9}}},
      {"div, reversed", Binary{BinaryKind::kDiv, nullptr, true}, {row, column}, {{2, 3}, {6, 3, 2, 12, 6, 4}}},
      {"max", Binary{BinaryKind::kMax, nullptr}, {{{2, 1}, {0, 2}}, row}, {{2, 3}, {1, 2, 3, 2, 2, 3}}},
      {"min", Binary{BinaryKind::kMin, nullptr}, {{{2, 1}, {0, 2}}, row}, {{2, 3}, {0, 0, 0, 1, 2, 2}}},
      {"add a constant", constant(BinaryKind::kAdd, false), {pair}, {{1, 2}, {8, 16}}},
      {"subtract a constant", constant(BinaryKind::kSub, false), {pair}, {{1, 2}, {4, 8}}},
      {"subtract from a constant", constant(BinaryKind::kSub, true), {pair}, {{1, 2}, {-4, -8}}},
      {"divide by a constant", constant(BinaryKind::kDiv, false), {pair}, {{1, 2}, {3, 3}}},
      {"divide a constant", constant(BinaryKind::kDiv, true), {pair}, {{1, 2}, {1.0f / 3, 1.0f / 3}}},
      {"a gate a channel",
       Binary{BinaryKind::kMul, nullptr},
       {{{2, 1, 2}, {1, 2, 3, 4}}, {{2, 1, 1}, {10, 100}}},
       {{2, 1, 2}, {10, 20, 300, 400}}},
  };
  for (const Case& c : cases) Check(c);
}

TEST(Reference, Windows) {
  const Operand negative = {{1, 2, 2}, {-4, -3, -2, -1}}, four = {{1, 2, 2}, {1, 2, 3, 4}},
                line = {{1, 1, 4}, {1, 2, 3, 4}};
  const std::vector<Case> cases = {
      {"padding is no maximum",
       graph::MaxPool{{2, 2}, {1, 1}, {1, 1}, {1, 1, 1, 1}},
       {negative},
       {{1, 3, 3}, {-4, -3, -3, -2, -1, -1, -2, -1, -1}}},
      {"max, floor", graph::MaxPool{{2, 2}, {2, 2}, {}, {}}, {kNine}, {{1, 1, 1}, {5}}},
      {"max, ceil", graph::MaxPool{{2, 2}, {2, 2}, {}, {}, true}, {kNine}, {{1, 2, 2}, {5, 6, 8, 9}}},
      {"max, unequal", graph::MaxPool{{2, 1}, {1, 2}, {}, {1, 0, 0, 0}}, {kNine}, {{1, 3, 2}, {1, 3, 4, 6, 7, 9}}},
      {"max, dilated",
       graph::MaxPool{{2, 2}, {1, 1}, {2, 2}, {}},
       {{{1, 3, 3}, {1, 9, 2, 9, 9, 9, 3, 9, 4}}},
       {{1, 1, 1}, {4}}},
      {"two channels",
       graph::MaxPool{{1, 2}, {1, 1}, {}, {}},
       {{{2, 1, 3}, {1, 2, 3, 6, 5, 4}}},
       {{2, 1, 2}, {2, 3, 6, 5}}},
      {"average without padding's zeros",
       graph::AveragePool{{2, 2}, {1, 1}, {1, 1, 1, 1}},
       {four},
       {{1, 3, 3}, {1, 1.5f, 2, 2, 2.5f, 3, 3, 3.5f, 4}}},
      {"average with padding's zeros",
       graph::AveragePool{{2, 2}, {1, 1}, {1, 1, 1, 1}, false, true},
       {four},
       {{1, 3, 3}, {0.25f, 0.75f, 0.5f, 1, 2.5f, 1.5f, 0.75f, 1.75f, 1}}},
      {"average, ceil: windows -1..1, 1..3, 3..5",
       graph::AveragePool{{1, 3}, {1, 2}, {0, 1, 0, 1}, true, false},
       {line},
       {{1, 1, 3}, {1.5f, 3, 4}}},
      {"average, ceil, padding counts, what hangs over it does not",
       graph::AveragePool{{1, 3}, {1, 2}, {0, 1, 0, 1}, true, true},
       {line},
       {{1, 1, 3}, {1, 3, 2}}},
      {"average, dilated",
       graph::AveragePool{{1, 2}, {1, 1}, {}, false, false, {1, 2}},
       {{{1, 1, 4}, {1, 5, 3, 9}}},
       {{1, 1, 2}, {2, 7}}},
      {"average, dilated, padding counts",
       graph::AveragePool{{1, 2}, {1, 1}, {0, 1, 0, 1}, false, true, {1, 3}},
       {{{1, 1, 4}, {1, 5, 3, 9}}},
       {{1, 1, 3}, {1.5f, 5, 2.5f}}},
  };
  for (const Case& c : cases) Check(c);
}

TEST(Reference, Reductions) {
  const Operand x = {{2, 2, 2}, {3, 4, 0, 0, -6, 0, 8, 0}}, gap = {{2, 2}, {0, std::log(3.0f), 1000, 1000}};
  const std::vector<Case> cases = {
      {"mean of the pixels", graph::Reduce{ReduceKind::kMean, {1, 2}}, {x}, {{2, 1, 1}, {1.75f, 0.5f}}},
      {"sum of the pixels", graph::Reduce{ReduceKind::kSum, {1, 2}}, {x}, {{2, 1, 1}, {7, 2}}},
      {"largest pixel", graph::Reduce{ReduceKind::kMax, {1, 2}}, {x}, {{2, 1, 1}, {4, 8}}},
      {"length", graph::Reduce{ReduceKind::kL2, {1, 2}}, {x}, {{2, 1, 1}, {5, 10}}},
      {"channels", graph::Reduce{ReduceKind::kSum, {0}}, {x}, {{1, 2, 2}, {-3, 4, 8, 0}}},
      {"columns", graph::Reduce{ReduceKind::kMax, {2}}, {x}, {{2, 2, 1}, {4, 0, 0, 8}}},
      {"channels and columns", graph::Reduce{ReduceKind::kMean, {0, 2}}, {x}, {{1, 2, 1}, {0.25f, 2}}},
      {"everything", graph::Reduce{ReduceKind::kSum, {0, 1, 2}}, {x}, {{1, 1, 1}, {9}}},
      {"the largest is negative", graph::Reduce{ReduceKind::kMax, {0}}, {{{2}, {-3, -2}}}, {{1}, {-2}}},
      {"softmax of rows", graph::Softmax{1}, {gap}, {{2, 2}, {0.25f, 0.75f, 0.5f, 0.5f}}},
      {"softmax of columns",
       graph::Softmax{0},
       {{{2, 2}, {0, 0, std::log(3.0f), 0}}},
       {{2, 2}, {0.25f, 0.5f, 0.75f, 0.5f}}},
  };
  for (const Case& c : cases) Check(c);
}

TEST(Reference, Moves) {
  const Operand six = {{2, 3}, {1, 2, 3, 4, 5, 6}}, three = {{3}, {1, 2, 3}};
  const std::vector<Case> cases = {
      {"reshape", graph::Reshape{{3, 2}}, {six}, {{3, 2}, {1, 2, 3, 4, 5, 6}}},
      {"flatten", graph::Flatten(), {six}, {{6}, {1, 2, 3, 4, 5, 6}}},
      {"transpose", graph::Transpose{{1, 0}}, {six}, {{3, 2}, {1, 4, 2, 5, 3, 6}}},
      {"the first axis becomes the last",
       graph::Transpose{{1, 2, 0}},
       {{{2, 3, 1}, {1, 2, 3, 4, 5, 6}}},
       {{3, 1, 2}, {1, 4, 2, 5, 3, 6}}},
      {"the last axis becomes the first",
       graph::Transpose{{2, 0, 1}},
       {{{1, 2, 3}, {1, 2, 3, 4, 5, 6}}},
       {{3, 1, 2}, {1, 4, 2, 5, 3, 6}}},
      {"concat rows", graph::Concat{0}, {six, {{1, 3}, {7, 8, 9}}}, {{3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}}},
      {"concat three by columns",
       graph::Concat{1},
       {six, {{2, 1}, {7, 8}}, {{2, 2}, {9, 10, 11, 12}}},
       {{2, 6}, {1, 2, 3, 7, 9, 10, 4, 5, 6, 8, 11, 12}}},
      {"slice", graph::Slice{{1, 0}, {3, 3}, {1, 2}}, {{{3, 3}, kNine.values}}, {{2, 2}, {4, 6, 7, 9}}},
      {"a slice whose step passes its end", graph::Slice{{0}, {2}, {5}}, {three}, {{1}, {1}}},
      {"pad", graph::Pad{{2}, {1}, 9}, {three}, {{6}, {9, 9, 1, 2, 3, 9}}},
      {"mirror", graph::Pad{{2}, {1}, 9, PadMode::kReflect}, {three}, {{6}, {3, 2, 1, 2, 3, 2}}},
      {"repeat the edge", graph::Pad{{2}, {1}, 9, PadMode::kEdge}, {three}, {{6}, {1, 1, 1, 2, 3, 3}}},
      {"pad two axes", graph::Pad{{0, 1}, {1, 0}, 9}, {six}, {{3, 4}, {9, 1, 2, 3, 9, 4, 5, 6, 9, 9, 9, 9}}},
      {"mirror two axes",
       graph::Pad{{1, 0}, {0, 1}, 0, PadMode::kReflect},
       {six},
       {{3, 4}, {4, 5, 6, 5, 1, 2, 3, 2, 4, 5, 6, 5}}},
  };
  for (const Case& c : cases) Check(c);
}

TEST(Reference, PostOps) {
  const Activation relu = graph::Relu();
  const Binary times_ten = {BinaryKind::kMul, Learnt({1}, {10})};
  const graph::Gemm gemm = {Learnt({2, 2}, {1, 0, 0, 1}), nullptr};  // the identity
  const Operand x = {{2}, {3, -5}}, y = {{2}, {-4, 7}}, z = {{2}, {2, 4}};
  const std::vector<Case> cases = {
      {"add, then clamp", gemm, {x, y}, {{2}, {0, 2}}, {graph::Add(), relu}},
      {"clamp, then add", gemm, {x, y}, {{2}, {-1, 7}}, {relu, graph::Add()}},
      {"a constant between values: ((x + y) * 10) / z",
       gemm,
       {x, y, z},
       {{2}, {-5, 5}},
       {graph::Add(), times_ten, Binary{BinaryKind::kDiv, nullptr}}},
      {"behind an operator of two inputs: (x - y) - z",
       Binary{BinaryKind::kSub, nullptr},
       {x, y, z},
       {{2}, {5, -16}},
       {Binary{BinaryKind::kSub, nullptr}}},
  };
  for (const Case& c : cases) Check(c);
}

TEST(Reference, WhatNoNodeYieldsIsEmpty) {
  graph::Graph graph;
  graph.input = graph.AddValue("image");
  graph.value(graph.input).dims = {2};
  graph.AddValue("unused");
  graph.outputs = {{"image", graph.input}};
  EXPECT_THAT(reference::Run(graph, std::vector<float>{1, 2}), testing::ElementsAre(Values{1, 2}, Values{}));
}

}  // namespace
}  // namespace resnetd::reference
