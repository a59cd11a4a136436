// Nodes that are refused, operator by operator, and what the message says.
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_file.h"
#include "tests/support/onnx_refusal.h"

namespace resnetd::onnx {
namespace {

// A case of one more node, "node4", that reads the feature map "c".
Case OneMore(const char* what, const char* op, const std::function<void(NodeProto&)>& set, const char* message) {
  return {what, [op, set](OnnxFile& f) { Network(f), set(f.Node(op, {"c"}, "z")); }, message};
}

TEST(ReadOnnx, RefusesWrongNodes) {
  const auto none = [](NodeProto&) {};
  Check({
      OneMore(
          "an attribute we don't know", "Relu", [](NodeProto& n) { SetInt(n, "slope", 1); },
          "node 'node4' (Relu, opset 17): attribute 'slope' is not supported"),
      OneMore(
          "an attribute of another type", "Flatten", [](NodeProto& n) { SetFloat(n, "axis", 1); },
          "attribute 'axis': expected INT, got FLOAT"),
      OneMore(
          "weights that flow", "Conv", [](NodeProto& n) { n.add_input("c"); },
          "input 1 'c': expected a float constant, got an activation"),
      OneMore("no weights", "Conv", none, "node 'node4' (Conv, opset 17): expected at least 2 inputs, got 1"),
      Spoilt(
          "a constant that flows", [](OnnxFile& f) { f.graph().mutable_node(0)->set_input(0, "w"); },
          "input 0 'w': expected an activation, got a float constant"),
      Spoilt(
          "kernel_shape",
          [](OnnxFile& f) {
            SetInts(*f.graph().mutable_node(0), "kernel_shape", {3, 1});
          },
          "attribute 'kernel_shape': expected 3x3 as in the weights, got 3x1"),
      Spoilt(
          "one stride", [](OnnxFile& f) { SetInts(*f.graph().mutable_node(0), "strides", {2}); },
          "attribute 'strides': expected two values, got 2"),
      Spoilt(
          "two pads",
          [](OnnxFile& f) {
            SetInts(*f.graph().mutable_node(0), "pads", {1, 1});
          },
          "attribute 'pads': expected four values, got 1,1"),
      Spoilt(
          "auto_pad", [](OnnxFile& f) { SetString(*f.graph().mutable_node(0), "auto_pad", "SAME"); },
          "attribute 'auto_pad': expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, got SAME"),
      Spoilt(
          "SAME with a stride of 0",
          [](OnnxFile& f) {
            SetString(SetInts(*f.graph().mutable_node(0), "strides", {0, 1}), "auto_pad", "SAME_UPPER");
          },
          "expected 1 to 2^24, got 0"),
      Spoilt(
          "groups", [](OnnxFile& f) { SetInt(*f.graph().mutable_node(0), "group", 2); },
          "node 'node0' (Conv): weights: expected input channels 3 / 2 groups, got 4x3x3x3"),
      OneMore(
          "training", "BatchNormalization",
          [](NodeProto& n) {
            for (int i = 0; i < 4; ++i) n.add_input("fw");
            SetInt(n, "training_mode", 1);
          },
          "attribute 'training_mode': expected 0, got 1 (export in eval mode)"),
      OneMore(
          "flatten all", "Flatten", [](NodeProto& n) { SetInt(n, "axis", 0); }, "attribute 'axis': expected 1, got 0"),
      OneMore("max pool without a kernel", "MaxPool", none, "attribute 'kernel_shape': expected two values, got none"),
      OneMore(
          "a kernel too large", "AveragePool",
          [](NodeProto& n) {
            SetInts(n, "kernel_shape", {7, 7});
          },
          "node 'node4' (AveragePool): input along H: expected at least 7 pixels with padding, got 6"),
      OneMore(
          "Gemm of a map", "Gemm", [](NodeProto& n) { n.add_input("fw"); }, "(Gemm): weights: expected OCx6, got 4x10"),
      OneMore(
          "transA", "Gemm", [](NodeProto& n) { n.add_input("fw"), SetInt(n, "transA", 1); },
          "attribute 'transA': expected 0, got 1"),
      OneMore(
          "four axes of weights", "MatMul", [](NodeProto& n) { n.add_input("w"); },
          "weights 'w': expected two axes, got 4x3x3x3"),
      OneMore("a Constant of nothing", "Constant", none, "expected a value that is a tensor, floats or integers"),
  });
}

TEST(ReadOnnx, NamesAllNodesAtFault) {
  OnnxFile f;
  Network(f);
  f.Node("MaxPool", {"c"}, "a");                               // no kernel
  f.Node("Relu", {"a"}, "b"), f.Node("Add", {"b", "c"}, "d");  // they follow from it
  SetInt(f.Node("Flatten", {"c", ""}, "e"), "axis", 3);
  EXPECT_EQ(ReadBytes(f.Bytes()).status(),
            absl::InvalidArgumentError("model 'tested': node 'node4' (MaxPool, opset 17): attribute 'kernel_shape': "
                                       "expected two values, got none; node 'node7' (Flatten, opset 17): attribute "
                                       "'axis': expected 1, got 3"));
  for (int i = 0; i < 48; ++i) f.Node("MaxPool", {"c"}, absl::StrCat("p", i));
  EXPECT_THAT(std::string(ReadBytes(f.Bytes()).status().message()),
              testing::AllOf(testing::HasSubstr("; node 'node55'"), testing::Not(testing::HasSubstr("more"))));
  f.Node("MaxPool", {"c"}, "last");
  EXPECT_THAT(std::string(ReadBytes(f.Bytes()).status().message()),
              testing::AllOf(testing::EndsWith("; and 1 more"), testing::Not(testing::HasSubstr("'node56'"))));
}

TEST(ReadOnnx, RefusesWrongOperands) {
  // One more node that reads "c" and the constant "k" of those dims.
  const auto with = [](const char* what, const char* op, const std::vector<int64_t>& dims, const char* message) {
    return Spoilt(
        what,
        [=](OnnxFile& f) {
          f.Floats("k", dims), f.Node(op, {"c", "k"}, "z");
        },
        message);
  };
  Check({
      with("a value an image of a batch", "Add", {2, 1, 1, 1},
           "constant operand: expected at most 4 axes, the first of them 1, got 2x1x1x1"),
      with("five axes", "Mul", {1, 1, 1, 1, 1}, "expected at most 4 axes, the first of them 1, got 1x1x1x1x1"),
      with("another width", "Sub", {5}, "node 'node4' (Sub): second operand: expected 4x6x6, got 1x1x5"),
      with("a slope a pixel", "PRelu", {1, 1, 6}, "slope: expected one value, or 4x1x1, got 1x1x6"),
      with("slopes for other channels", "PRelu", {5}, "slope: expected one value, or 4x1x1, got 5"),
      with("two exponents", "Pow", {2}, "input 1 'k': expected one value, got 2"),
      with("two bounds", "Clip", {2}, "input 1 'k': expected one value, got 2"),
      Spoilt(
          "a slope along the width, which is as long as the channels",
          [](OnnxFile& f) {
            f.Ints("to", {0, 6, 4, 6}), f.Floats("k", {6});
            f.Node("Reshape", {"c", "to"}, "r"), f.Node("PRelu", {"r", "k"}, "z");
          },
          "slope: expected one value, or 6x1x1, got 6"),
      Spoilt(
          "a slope that flows",
          [](OnnxFile& f) {
            f.Node("PRelu", {"c", "c"}, "z");
          },
          "input 1 'c': expected a float constant, got an activation"),
      Spoilt(
          "a map and a vector",
          [](OnnxFile& f) {
            f.Node("Add", {"c", "v"}, "z");
          },
          "(Add): second operand: expected 3 axes, got 4"),
      Spoilt(
          "integers",
          [](OnnxFile& f) {
            f.Ints("k", {2}), f.Node("Mul", {"c", "k"}, "z");
          },
          "input 1 'k': expected a float constant, got an integer constant"),
      Spoilt(
          "an exponent that flows",
          [](OnnxFile& f) {
            f.Node("Pow", {"c", "c"}, "z");
          },
          "input 1 'c': expected a float constant, got an activation"),
      Spoilt(
          "a power of a constant",
          [](OnnxFile& f) {
            f.Floats("k", {}), f.Node("Pow", {"k", "c"}, "z");
          },
          "input 1 'c': expected a float constant, got an activation"),
      Spoilt(
          "min above max",
          [](OnnxFile& f) {
            f.Floats("k", {}, 2), f.Floats("m", {}, 1), f.Node("Clip", {"c", "k", "m"}, "z");
          },
          "min and max: expected min at most max, got 2 and 1"),
      Spoilt(
          "another approximation", [](OnnxFile& f) { SetString(f.Node("Gelu", {"c"}, "z"), "approximate", "fast"); },
          "attribute 'approximate': expected none or tanh, got fast"),
      Spoilt(
          "softmax over the batch", [](OnnxFile& f) { SetInt(f.Node("Softmax", {"c"}, "z"), "axis", 0); },
          "axis: expected 1..3, not the batch, got 0"),
      Spoilt(
          "softmax over a fifth axis", [](OnnxFile& f) { SetInt(f.Node("Softmax", {"c"}, "z"), "axis", 4); },
          "axis: expected 1..3, got 4"),
  });
}

TEST(ReadOnnx, RefusesWrongNormalisationsAndReductions) {
  const auto norm = [](const char* what, const char* op, const std::vector<int64_t>& dims, int64_t groups,
                       const char* message) {
    return Spoilt(
        what,
        [=](OnnxFile& f) {
          f.Floats("k", dims);
          NodeProto& node = f.Node(op, {"c", "k", "k"}, "z");
          if (groups != 0) SetInt(node, "num_groups", groups);
        },
        message);
  };
  const auto reduce = [](const char* what, const std::vector<int64_t>& axes, const char* message) {
    return OneMore(
        what, "ReduceSum", [=](NodeProto& n) { SetInts(n, "axes", axes); }, message);
  };
  Check({
      norm("channels", "InstanceNormalization", {3}, 0, "scale: expected 4 values, got 3"),
      norm("no groups", "GroupNormalization", {4}, 0, "attribute 'num_groups': expected a number, got none"),
      norm("a value a channel before opset 21", "GroupNormalization", {4}, 2,
           "scale and bias: expected 2 values, one a group, got 4"),
      norm("groups that don't divide", "GroupNormalization", {3}, 3, "groups: expected a divisor of 4, got 3"),
      norm("negative groups", "GroupNormalization", {4}, -1, "groups: expected 1..4, got -1"),
      reduce("over the batch", {0, 1}, "axis: expected 1..3, not the batch, got 0"),
      reduce("over the batch from behind", {-4}, "axis: expected 1..3, not the batch, got -4"),
      reduce("over a fifth axis", {4}, "axis: expected 1..3, got 4"),
      reduce("over a fifth axis from behind", {-5}, "axis: expected 1..3, got -5"),
      reduce("twice over one", {2, -2}, "axes: expected each at most once, got 2,-2"),
      reduce("over all", {}, "axes: expected axes that leave the batch, got none, which means all"),
      Spoilt(
          "a global pool of a vector", [](OnnxFile& f) { f.Node("GlobalMaxPool", {"v"}, "z"); },
          "input: expected a feature map NxCxHxW, got Nx4"),
  });
}

}  // namespace
}  // namespace resnetd::onnx
