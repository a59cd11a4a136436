// Functions of each element and operations on pairs: attributes, their defaults, and how operands are aligned.
#include <cfloat>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_reading.h"

namespace resnetd::onnx {
namespace {

using Set = std::function<void(NodeProto&)>;

TEST(ReadOnnx, Activations) {
  struct ActivationCase {
    const char* op;
    Set set;
    graph::ActivationKind kind;
    float alpha = 0, beta = 0;
    Opsets opsets = {};
  };
  using Kind = graph::ActivationKind;
  const Set none = [](NodeProto&) {};
  const Set alpha = [](NodeProto& n) { SetFloat(n, "alpha", 0.75f); };
  const Set both = [](NodeProto& n) { SetFloat(SetFloat(n, "alpha", 0.75f), "beta", 0.25f); };
  const std::vector<ActivationCase> cases = {
      {"Relu", none, Kind::kRelu},
      {"LeakyRelu", none, Kind::kLeakyRelu, 0.01f},
      {"LeakyRelu", alpha, Kind::kLeakyRelu, 0.75f},
      {"Elu", none, Kind::kElu, 1},
      {"Elu", alpha, Kind::kElu, 0.75f},
      {"Sqrt", none, Kind::kSqrt},
      {"Exp", none, Kind::kExp},
      {"Erf", none, Kind::kErf, 0, 0, {9}},
      {"Tanh", none, Kind::kTanh},
      {"Sigmoid", none, Kind::kSigmoid},
      {"HardSigmoid", none, Kind::kHardSigmoid, 0.2f, 0.5f},
      {"HardSigmoid", both, Kind::kHardSigmoid, 0.75f, 0.25f},
      {"HardSwish", none, Kind::kHardSwish, 1.0f / 6, 0.5f, {14}},
      {"Gelu", none, Kind::kGelu, 0, 0, {20}},
      {"Gelu", [](NodeProto& n) { SetString(n, "approximate", "none"); }, Kind::kGelu, 0, 0, {20}},
      {"Gelu", [](NodeProto& n) { SetString(n, "approximate", "tanh"); }, Kind::kGeluTanh, 0, 0, {20}},
      {"Abs", none, Kind::kAbs},
      {"Log", none, Kind::kLog},
      {"Neg", none, Kind::kLinear, -1},
      {"Reciprocal", none, Kind::kPow, -1},
      {"Softplus", none, Kind::kSoftplus},
      {"Mish", none, Kind::kMish, 0, 0, {18}},
      {"Clip", none, Kind::kClip, -FLT_MAX, FLT_MAX},
      {"Clip", [](NodeProto& n) { SetFloat(n, "min", 0); }, Kind::kClip, 0, FLT_MAX, {7, 10}},
      {"Clip", [](NodeProto& n) { SetFloat(SetFloat(n, "min", 0), "max", 6); }, Kind::kClip, 0, 6, {7, 10}},
      {"Clip", [](NodeProto& n) { n.add_input("two"); }, Kind::kClip, 2, FLT_MAX, {11}},
      {"Clip", [](NodeProto& n) { n.add_input(""), n.add_input("two"); }, Kind::kClip, -FLT_MAX, 2, {11}},
      {"Clip", [](NodeProto& n) { n.add_input("two"), n.add_input("two"); }, Kind::kClip, 2, 2, {11}},
      {"Pow", [](NodeProto& n) { n.add_input("two"); }, Kind::kPow, 2},
      {"Pow", [](NodeProto& n) { n.add_input("three"); }, Kind::kPow, 3, 0, {12}},
  };
  for (const ActivationCase& c : cases) {
    for (int opset = c.opsets.first; opset <= c.opsets.last; ++opset) {
      OnnxFile f(opset);
      f.Floats("two", {}, 2), f.Ints("three", {3});
      c.set(f.Node(c.op, {"x"}, "z"));
      f.Node("Flatten", {"z"}, "y");
      const auto graph = ReadBytes(f.Bytes());
      ASSERT_TRUE(graph.ok()) << c.op << ", opset " << opset << ": " << graph.status();
      const auto* op = std::get_if<graph::Activation>(&graph->nodes[0].op);
      ASSERT_NE(op, nullptr) << c.op;
      EXPECT_EQ(op->kind, c.kind) << c.op;
      EXPECT_EQ(op->alpha, c.alpha) << c.op;
      EXPECT_EQ(op->beta, c.beta) << c.op;
    }
  }
}

TEST(ReadOnnx, TwoActivations) {
  const auto two = [](const char* op, const char* first, const char* second) {
    return [=](OnnxFile& f) {
      f.Node("Exp", {"x"}, "e"), f.Node("GlobalAveragePool", {"x"}, "g");
      f.Node(op, {first, second}, "z");
    };
  };
  const std::string before = "Exp{3x8x8}, ReduceMean axes 1,2{3x1x1}, ";
  CheckRead({
      {"add", two("Add", "x", "e"), before + "Add{3x8x8}"},
      {"one is repeated", two("Mul", "e", "g"), before + "Mul{3x8x8}"},
      {"the first is repeated", two("Sub", "g", "e"), before + "Sub{3x8x8}"},
      {"itself", two("Div", "e", "e"), before + "Div{3x8x8}"},
  });
}

// Constants of all shapes that say the same for each image, on either side.
TEST(ReadOnnx, ConstantOperands) {
  struct Shape {
    std::vector<int64_t> file;
    const char* graph;
  };
  const std::vector<Shape> shapes = {
      {{}, "1x1x1"},           {{1}, "1x1x1"},          {{8}, "1x1x8"},          {{8, 1}, "1x8x1"},
      {{3, 1, 1}, "3x1x1"},    {{3, 8, 8}, "3x8x8"},    {{1, 1, 1, 1}, "1x1x1"}, {{1, 3, 1, 1}, "3x1x1"},
      {{1, 1, 8, 8}, "1x8x8"}, {{1, 3, 8, 8}, "3x8x8"},
  };
  for (const Shape& shape : shapes) {
    for (const auto& [op, turned] :
         {std::pair("Add", ""), std::pair("Sub", "from "), std::pair("Mul", ""), std::pair("Div", "from ")}) {
      const auto with = [&shape, op](const char* first, const char* second) {
        return [=](OnnxFile& f) { f.Floats("k", shape.file), f.Node(op, {first, second}, "z"); };
      };
      CheckRead({
          {op, with("x", "k"), absl::StrCat(op, " constant ", shape.graph, "{3x8x8}")},
          {op, with("k", "x"), absl::StrCat(op, " ", turned, "constant ", shape.graph, "{3x8x8}")},
      });
    }
  }
}

TEST(ReadOnnx, ConstantsMayBeTheLargerOperand) {
  CheckRead({{"a map",
              [](OnnxFile& f) {
                f.Floats("k", {3, 4, 2});
                f.Node("GlobalMaxPool", {"x"}, "g");
                f.Node("Mul", {"g", "k"}, "z");
              },
              "ReduceMax axes 1,2{3x1x1}, Mul constant 3x4x2{3x4x2}"}});
}

TEST(ReadOnnx, AddAfterMatMulIsItsBias) {
  const auto add = [](const std::vector<int64_t>& dims, bool read_twice) {
    return [=](OnnxFile& f) {
      f.Floats("w", {8, 5}), f.Floats("b", dims, 3);
      f.Node("MatMul", {"x", "w"}, "m");
      f.Node("Add", {"b", "m"}, read_twice ? "a" : "z");
      if (read_twice) f.Node("Mul", {"a", "m"}, "z");
    };
  };
  CheckRead({
      {"one value a column", add({5}, false), "Gemm{3x8x5}"},
      {"more axes", add({1, 1, 1, 5}, false), "Gemm{3x8x5}"},
      {"one value", add({1}, false), "Gemm{3x8x5}, Add constant 1x1x1{3x8x5}"},
      {"one value a row", add({8, 1}, false), "Gemm{3x8x5}, Add constant 1x8x1{3x8x5}"},
      {"the product is read elsewhere", add({5}, true), "Gemm{3x8x5}, Add constant 1x1x5{3x8x5}, Mul{3x8x5}"},
  });
  OnnxFile f;
  add({5}, false)(f);
  f.Node("Flatten", {"z"}, "y");
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto& gemm = std::get<graph::Gemm>(graph->nodes[0].op);
  EXPECT_EQ(gemm.bias->dims, graph::Dims{5});
  EXPECT_EQ(gemm.bias->data, std::vector<float>(5, 3));
  EXPECT_EQ(graph->value(graph->nodes[0].output).name, "z");  // not "m": that is not what it holds now
}

TEST(ReadOnnx, SlopesOfPRelu) {
  for (const std::vector<int64_t>& dims :
       std::vector<std::vector<int64_t>>{{}, {1}, {1, 1, 1}, {3}, {3, 1, 1}, {1, 3, 1, 1}}) {
    OnnxFile f;
    f.Floats("slope", dims, 0.25f);
    f.Node("PRelu", {"x", "slope"}, "z");
    f.Node("Flatten", {"z"}, "y");
    const auto graph = ReadBytes(f.Bytes());
    ASSERT_TRUE(graph.ok()) << graph::ToString(dims) << ": " << graph.status();
    const auto& op = std::get<graph::PRelu>(graph->nodes[0].op);
    EXPECT_EQ(op.slope->dims, graph::Dims{3}) << graph::ToString(dims);
    EXPECT_EQ(op.slope->data, std::vector<float>(3, 0.25f)) << graph::ToString(dims);
  }
}

}  // namespace
}  // namespace resnetd::onnx
