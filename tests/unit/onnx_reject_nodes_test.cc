// Nodes that are refused, operator by operator, and what the message says.
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/unit/onnx_file.h"
#include "tests/unit/onnx_refusal.h"

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
          "max pool with indices", "MaxPool",
          [](NodeProto& n) {
            SetInts(n, "kernel_shape", {2, 2}).add_output("indices");
          },
          "outputs: expected 1, got 2"),
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

// Operators that take their numbers from constants.
TEST(ReadOnnx, RefusesWrongNumbers) {
  const auto with = [](const char* what, const char* op, const std::vector<std::vector<int64_t>>& inputs,
                       const char* message) {
    return Case{what,
                [=](OnnxFile& f) {
                  Network(f);
                  NodeProto& node = f.Node(op, {"c"}, "z");
                  for (size_t i = 0; i < inputs.size(); ++i) {
                    f.Ints(absl::StrCat("i", i), inputs[i]);
                    node.add_input(absl::StrCat("i", i));
                  }
                },
                message};
  };
  Check({
      with("another size", "Reshape", {{0, 145}}, "shape: expected 144 elements, got 0,145"),
      with("another batch", "Reshape", {{2, 144}}, "shape: expected the batch and then 144 elements, got 2,144"),
      with("both inferred", "Reshape", {{-1, -1}}, "shape: expected the batch and then 144 elements, got -1,-1"),
      with("squeeze of more than one", "Squeeze", {{2, 3}}, "axes: expected axes of size 1, got 2,3 of batch,4,6,6"),
      with("slice of the batch", "Slice", {{0}, {1}, {0}}, "axis: expected 1..3, not the batch, got 0"),
      with("slice of a fifth axis", "Slice", {{0}, {1}, {4}}, "axis: expected 1..3, got 4"),
      with("slice backwards", "Slice", {{0}, {4}, {2}, {-1}}, "steps: expected at least 1, got -1"),
      with("an empty slice", "Slice", {{4}, {2}, {2}}, "(Slice): end: expected 5..6, got 2"),
      with("unequal lengths", "Slice", {{0, 0}, {1}, {2}}, "starts, ends, axes and steps: expected equal lengths"),
      with("pad of the batch", "Pad", {{1, 0, 0, 0, 0, 0, 0, 0}}, "pads of the batch axis: expected 0"),
      with("too few pads", "Pad", {{0, 0, 0, 0}}, "pads: expected 8 values, got 0,0,0,0"),
      with("negative pads", "Pad", {{0, 0, -1, 0, 0, 0, 0, 0}}, "(Pad): padding: expected 0..16777216, got -1"),
  });
}

// Operators on integers alone: input 0 is the list "shape" of 0, 4, 6, 6 or the matrix "matrix" of 1, 2 and 3, 4.
TEST(ReadOnnx, RefusesWrongIntegers) {
  const auto with = [](const char* what, const char* op, const char* first,
                       const std::vector<std::vector<int64_t>>& more, const std::function<void(NodeProto&)>& set,
                       const char* message) {
    return Case{what,
                [=](OnnxFile& f) {
                  Network(f);
                  f.Ints("shape", {0, 4, 6, 6}), f.Ints("four", {1, 2, 3, 4}), f.Ints("square", {2, 2});
                  f.Node("Reshape", {"four", "square"}, "matrix");
                  NodeProto& node = f.Node(op, {first}, "z");
                  for (size_t i = 0; i < more.size(); ++i) {
                    f.Ints(absl::StrCat("i", i), more[i]);
                    node.add_input(absl::StrCat("i", i));
                  }
                  set(node);
                },
                message};
  };
  const auto none = [](NodeProto&) {};
  Check({
      with("index past the end", "Gather", "shape", {{4}}, none, "index: expected -4..3, got 4"),
      with("index before the start", "Gather", "shape", {{-5}}, none, "index: expected -4..3, got -5"),
      with("gather of a matrix", "Gather", "matrix", {{0}}, none, "'matrix': expected a list of integers, got 2 axes"),
      with(
          "pads that are a matrix", "Pad", "c", {}, [](NodeProto& n) { n.add_input("matrix"); },
          "input 1 'matrix': expected a list of integers, got 2 axes"),
      with("reshape to another size", "Reshape", "shape", {{3, -1}}, none, "shape: expected 4 elements, got 3,-1"),
      with("reshape to nothing", "Reshape", "shape", {{-1, 0}}, none, "shape: expected 4 elements, got -1,0"),
      with("reshape to five", "Reshape", "shape", {{5}}, none, "shape: expected 4 elements, got 5"),
      with("transposed activation", "Transpose", "c", {}, none, "'perm': expected 0, the batch, first, got 3,2,1,0"),
      with("slice by no step", "Slice", "shape", {{0}, {1}, {0}, {0}}, none, "steps: expected -5..5 but 0, got 0"),
      with("slice by a huge step", "Slice", "shape", {{0}, {1}, {0}, {6}}, none, "steps: expected -5..5 but 0, got 6"),
      with(
          "joined to too many", "Concat", "shape", {std::vector<int64_t>(61, 1)},
          [](NodeProto& n) { SetInt(n, "axis", 0); }, "inputs: expected at most 64 integers, got more"),
      with("two sizes for a constant", "ConstantOfShape", "square", {}, none, "shape: expected one value, got 2,2"),
      with(
          "no value for a constant", "ConstantOfShape", "c", {{64}},
          [](NodeProto& n) { n.mutable_input()->DeleteSubrange(0, 1); },
          "attribute 'value': expected an integer, got none"),
      with(
          "too many constants", "ConstantOfShape", "c", {{65}},
          [](NodeProto& n) { n.mutable_input()->DeleteSubrange(0, 1); }, "shape: expected 0 to 64, got 65"),
      with(
          "less than no constants", "ConstantOfShape", "c", {{-1}},
          [](NodeProto& n) { n.mutable_input()->DeleteSubrange(0, 1); }, "shape: expected 0 to 64, got -1"),
  });
}

}  // namespace
}  // namespace resnetd::onnx
