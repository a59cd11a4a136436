// Operators of any number of tensors, and those that repeat elements.
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_reading.h"
#include "tests/support/onnx_refusal.h"

namespace resnetd::onnx {
namespace {

// "e" is exp(x), "g" the pooled image, "k" and "l" are constants.
std::function<void(OnnxFile&)> Of(const char* op, std::vector<const char*> inputs) {
  return [=](OnnxFile& f) {
    f.Node("Exp", {"x"}, "e"), f.Node("GlobalAveragePool", {"x"}, "g");
    f.Floats("k", {3, 1, 1}, 2), f.Floats("l", {1, 1, 1, 8}, 3), f.Floats("half", {}, 0.5f), f.Floats("zero", {1}, 0);
    NodeProto& node = f.Node(op, {}, "z");
    for (const char* input : inputs) node.add_input(input);
  };
}

TEST(ReadOnnx, AnyNumberOfTensors) {
  const std::string before = "Exp{3x8x8}, ReduceMean axes 1,2{3x1x1}";
  for (const auto& [op, ours] : {std::pair("Sum", "Add"), {"Max", "Max"}, {"Min", "Min"}}) {
    const std::string constant = absl::StrCat(", ", ours, " constant ");
    CheckRead({
        {"one", Of(op, {"x"}), before},
        {"two", Of(op, {"x", "e"}), absl::StrCat(before, ", ", ours, "{3x8x8}")},
        {"three, one of them repeated", Of(op, {"g", "x", "e"}),
         absl::StrCat(before, ", ", ours, "{3x8x8}, ", ours, "{3x8x8}")},
        {"a constant", Of(op, {"k", "x"}), absl::StrCat(before, constant, "3x1x1{3x8x8}")},
        {"constants between", Of(op, {"x", "k", "e", "l"}),
         absl::StrCat(before, constant, "3x1x1{3x8x8}, ", ours, "{3x8x8}", constant, "1x1x8{3x8x8}")},
        {"constants first, which are one", Of(op, {"k", "l", "x"}), absl::StrCat(before, constant, "3x1x8{3x8x8}")},
    });
  }
  CheckRead({
      {"the larger of a number, a clip", Of("Max", {"half", "x"}), before + ", Clip 0.5..3.40282e+38{3x8x8}"},
      {"the smaller of a number", Of("Min", {"x", "half"}), before + ", Clip -3.40282e+38..0.5{3x8x8}"},
      {"the larger of 0", Of("Max", {"x", "zero"}), before + ", Relu{3x8x8}"},
      {"mean of one", Of("Mean", {"x"}), before},
      {"mean", Of("Mean", {"x", "e", "g"}), before + ", Add{3x8x8}, Add{3x8x8}, Div constant 1x1x1{3x8x8}"},
  });
}

TEST(ReadOnnx, TheLastOfAChainHasTheNodesName) {
  OnnxFile f(13);
  Of("Sum", {"x", "e", "g"})(f);
  f.Node("Flatten", {"z"}, "y");
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->value(graph->nodes[3].output).name, "z");
}

TEST(ReadOnnx, RefusesTensorsThatDoNotGoTogether) {
  const auto bad = [](const char* what, const char* op, std::vector<const char*> inputs, const char* message) {
    return Case{what, [=](OnnxFile& f) { Of(op, inputs)(f), f.Ints("i", {3}), f.Node("Flatten", {"z"}, "y"); },
                message};
  };
  Check({
      bad("none", "Sum", {}, "expected at least 1 inputs, got 0"),
      bad("no mean of none", "Mean", {}, "expected at least 1 inputs, got 0"),
      bad("another size", "Max", {"x", "e", "wide"}, "input 2 'wide' is yielded by no earlier node"),
      bad("integers", "Sum", {"x", "e", "i"}, "operands: expected floats, got floats and integers"),
      bad("a constant for single images", "Min", {"x", "e", "i"}, "operands: expected floats"),
  });
}

TEST(ReadOnnx, Expands) {
  const auto to = [](std::vector<int64_t> shape, const char* of = "g") {
    return [=](OnnxFile& f) {
      f.Node("GlobalAveragePool", {"x"}, "g");
      f.Ints("shape", shape), f.Floats("k", {3, 1, 1});
      f.Node("Expand", {of, "shape"}, *of == 'k' ? "c" : "z");
      if (*of == 'k') f.Node("Add", {"x", "c"}, "z");
    };
  };
  const std::string pool = "ReduceMean axes 1,2{3x1x1}";
  CheckRead({
      {"pixels", to({1, 3, 8, 8}), pool + ", Add constant 1x8x8{3x8x8}", {8}},
      {"columns", to({8}), pool + ", Add constant 1x1x8{3x1x8}", {8}},
      {"nothing", to({1, 1}), pool, {8}},
      {"as it is", to({1, 3, 1, 1}), pool, {8}},
      {"a constant", to({1, 3, 1, 8}, "k"), pool + ", Add constant 3x1x8{3x8x8}", {8}},
      {"by a shape",
       [](OnnxFile& f) {
         f.Node("GlobalAveragePool", {"x"}, "g"), f.Node("Shape", {"x"}, "s"), f.Node("Expand", {"g", "s"}, "z");
       },
       pool + ", Add constant 1x8x8{3x8x8}",
       {8}},
  });
  const auto bad = [&](const char* what, std::vector<int64_t> shape, const char* message) {
    return Case{what, [=](OnnxFile& f) { to(shape)(f), f.Node("Flatten", {"z"}, "y"); }, message};
  };
  Check({
      bad("more images", {5, 3, 8, 8}, "shape: expected the batch as it is, got 5,3,8,8"),
      bad("channels that are there", {4, 1, 1}, "shape: expected what 3x1x1 can be repeated to, got 4,1,1"),
      bad("no size", {0, 8}, "shape: expected what 3x1x1 can be repeated to, got 0,8"),
      bad("more axes", {1, 1, 3, 8, 8}, "shape: expected at most 4 axes, got 1,1,3,8,8"),
      bad("more than the file holds", {1, 3, 4096, 4096}, "expected fewer elements than the file holds"),
  });
}

TEST(ReadOnnx, ConstantsOfOneFloat) {
  const auto fill = [](std::vector<int64_t> shape, float value) {
    return [=](OnnxFile& f) {
      f.Ints("shape", shape);
      TensorProto& of =
          *Attribute(f.Node("ConstantOfShape", {"shape"}, "k"), "value", AttributeProto::TENSOR).mutable_t();
      of.set_data_type(TensorProto::FLOAT);
      of.add_dims(1), of.add_float_data(value);
      f.Node("Mul", {"x", "k"}, "z");
    };
  };
  CheckRead({
      {"of the channels", fill({3, 1, 1}, 2), "Mul constant 3x1x1{3x8x8}"},
      {"like the image",
       [](OnnxFile& f) {
         f.Node("Shape", {"x"}, "s"), f.Node("ConstantOfShape", {"s"}, "k"), f.Node("Add", {"x", "k"}, "z");
       },
       "Add constant 3x8x8{3x8x8}"},
  });
  Check({{"no size", [=](OnnxFile& f) { fill({0}, 1)(f); },
          "shape: expected positive sizes, 2147483648 elements at most"},
         {"too many",
          [=](OnnxFile& f) {
            fill({1 << 20, 1 << 20}, 1)(f);
          },
          "shape: expected positive sizes"},
         {"more than the file holds", [=](OnnxFile& f) { fill({1 << 22}, 1)(f); }, "than the file holds"}});
}

}  // namespace
}  // namespace resnetd::onnx
