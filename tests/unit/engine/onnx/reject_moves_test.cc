// Operators that move elements or give them other axes, and those on constants: what is refused, and with what message.
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_file.h"
#include "tests/support/onnx_refusal.h"

namespace resnetd::onnx {
namespace {

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
      with("no batch", "Reshape", {{144}}, "shape: expected the batch and then 144 elements, got 144"),
      with("an empty axis", "Reshape", {{0, 144, 0}}, "shape: expected 144 elements, got 0,144,0"),
      with("nine axes", "Reshape", {{0, 1, 1, 1, 1, 1, 1, 1, 144}}, "shape: expected at most 8 axes, got more"),
      with("both inferred", "Reshape", {{-1, -1}}, "shape: expected the batch and then 144 elements, got -1,-1"),
      with("squeeze of more than one", "Squeeze", {{2, 3}}, "axes: expected axes of size 1, got 2,3 of batch,4,6,6"),
      with("squeeze of the batch", "Squeeze", {{0}}, "axes: expected axes of size 1, got 0 of batch,4,6,6"),
      with("squeeze of a fifth axis", "Squeeze", {{4}}, "axis: expected -4..3, got 4"),
      with("squeeze of what happens to be 1", "Squeeze", {}, "axes: expected those to take away, got none"),
      with("an axis before the batch", "Unsqueeze", {{0}}, "axes: expected axes behind the batch, got 0"),
      with("a sixth axis", "Unsqueeze", {{5}}, "axis: expected -5..4, got 5"),
      with("an axis twice", "Unsqueeze", {{1, -5}}, "axes: expected each at most once, got 1,1"),
      with("nine axes", "Unsqueeze", {{1, 2, 3, 4, 5}}, "result: expected at most 8 axes, got more"),
      with("slice of the batch", "Slice", {{0}, {1}, {0}}, "axis: expected 1..3, not the batch, got 0"),
      with("slice of a fifth axis", "Slice", {{0}, {1}, {4}}, "axis: expected 1..3, got 4"),
      with("slice backwards to what is behind", "Slice", {{0}, {4}, {2}, {-1}},
           "starts and ends: expected at least one row, got none"),
      with("slice backwards along two axes", "Slice", {{3, 3}, {0, 0}, {1, 2}, {-1, -1}},
           "steps: expected at least 1, got -1"),
      with("an empty slice", "Slice", {{4}, {2}, {2}}, "(Slice): end: expected 5..6, got 2"),
      with("slice twice along one axis", "Slice", {{0, 1}, {2, 3}, {2, -2}},
           "axes: expected each at most once, got 2,-2"),
      with("unequal lengths", "Slice", {{0, 0}, {1}, {2}}, "starts, ends, axes and steps: expected equal lengths"),
      with("pad of the batch", "Pad", {{1, 0, 0, 0, 0, 0, 0, 0}}, "pads of the batch axis: expected 0"),
      with("too few pads", "Pad", {{0, 0, 0, 0}}, "pads: expected 8 values, got 0,0,0,0"),
      with("pads of five axes", "Pad", {std::vector<int64_t>(10, 0)}, "pads: expected 8 values"),
      with("negative pads", "Pad", {{0, 0, -1, 0, 0, 0, 0, 0}}, "(Pad): padding: expected 0..16777216, got -1"),
  });
}

// Operators that take their numbers from attributes.
TEST(ReadOnnx, RefusesWrongMoves) {
  const auto with = [](const char* what, const char* op, const std::function<void(OnnxFile&, NodeProto&)>& set,
                       const char* message) {
    return Spoilt(
        what, [=](OnnxFile& f) { set(f, f.Node(op, {"c"}, "z")); }, message);
  };
  const auto perm = [](const std::vector<int64_t>& axes) {
    return [axes](OnnxFile&, NodeProto& n) { SetInts(n, "perm", axes); };
  };
  const auto split = [](int64_t axis, const std::vector<int64_t>& sizes, int outputs) {
    return [=](OnnxFile& f, NodeProto& n) {
      SetInt(n, "axis", axis);
      for (int i = 1; i < outputs; ++i) n.add_output(absl::StrCat("z", i));
      if (!sizes.empty()) f.Ints("sizes", sizes), n.add_input("sizes");
    };
  };
  const auto concat = [](int64_t axis, const char* other) {
    return [=](OnnxFile&, NodeProto& n) { SetInt(n, "axis", axis), n.add_input(other); };
  };
  const auto pad = [](const char* mode, const std::vector<int64_t>& pads) {
    return [=](OnnxFile& f, NodeProto& n) { SetString(n, "mode", mode), f.Ints("pads", pads), n.add_input("pads"); };
  };
  Check({
      with("the batch moves", "Transpose", perm({1, 0, 2, 3}), "'perm': expected 0, the batch, first, got 1,0,2,3"),
      with("an axis twice", "Transpose", perm({0, 1, 1, 2}), "'perm': expected each of 4 axes once, got 0,1,1,2"),
      with("three axes", "Transpose", perm({0, 2, 1}), "'perm': expected each of 4 axes once, got 0,2,1"),
      with("no such axis", "Transpose", perm({0, 1, 2, std::numeric_limits<int64_t>::min()}),
           "'perm': expected each of 4 axes once, got 0,1,2,-9223372036854775808"),
      with("no axes", "Transpose", perm({}), "'perm': expected 0, the batch, first, got "),
      with(
          "split of the batch", "Split", [](OnnxFile&, NodeProto&) {}, "axis: expected 1..3, not the batch, got 0"),
      with("split that does not divide", "Split", split(1, {}, 3), "outputs: expected a divisor of 4, got 3"),
      with("too much", "Split", split(1, {2, 3}, 2), "split: expected 2 positive sizes, 4 together, got 2,3"),
      with("too little", "Split", split(1, {2, 1}, 2), "split: expected 2 positive sizes, 4 together, got 2,1"),
      with("nothing", "Split", split(1, {4, 0}, 2), "split: expected 2 positive sizes, 4 together, got 4,0"),
      with("sizes that overflow", "Split", split(1, {std::numeric_limits<int64_t>::max(), 5}, 2),
           "split: expected 2 positive sizes, 4 together, got 9223372036854775807,5"),
      with("three sizes for two", "Split", split(1, {2, 1, 1}, 2), "split: expected 2 positive sizes, 4 together"),
      with(
          "a number of others", "Split",
          [](OnnxFile&, NodeProto& n) { SetInt(SetInt(n, "axis", 1), "num_outputs", 2); },
          "attribute 'num_outputs': expected 1, or sizes instead, got 2"),
      with(
          "more outputs than channels", "Split",
          [&](OnnxFile& f, NodeProto& n) { split(1, {}, 5)(f, n), SetInt(n, "num_outputs", 5); },
          "split: expected 5 positive sizes, 4 together, got 1,1,1,1,0"),
      with("joined batches", "Concat", concat(0, "c"), "axis: expected 1..3, not the batch, got 0"),
      with("another size", "Concat", concat(1, "p"), "(Concat): input: expected 4x6x6 but along axis 0, got 4x1x1"),
      with("a constant", "Concat", concat(1, "w"), "input 1 'w': expected an activation, got a float constant"),
      with(
          "no axis", "Concat", [](OnnxFile&, NodeProto&) {}, "attribute 'axis': expected an axis, got none"),
      with("wrapped", "Pad", pad("wrap", std::vector<int64_t>(8, 1)),
           "'mode': expected constant, reflect or edge, got wrap"),
      with("mirrored too far", "Pad", pad("reflect", {0, 0, 0, 6, 0, 0, 0, 0}), "padding: expected 0..5, got 6"),
      with(
          "the batch", "Flatten", [](OnnxFile&, NodeProto& n) { SetInt(n, "axis", 2); }, "'axis': expected 1, got 2"),
      with(
          "integers", "Cast", [](OnnxFile&, NodeProto& n) { SetInt(n, "to", TensorProto::INT64); },
          "attribute 'to': expected FLOAT or another type of floats, as the input is, got INT64"),
      with(
          "no such row", "Gather",
          [](OnnxFile& f, NodeProto& n) {
            f.Ints("rows", {0, 4}), n.add_input("rows"), SetInt(n, "axis", 1);
          },
          "index: expected -4..3, got 4"),
      with(
          "rows of the batch", "Gather", [](OnnxFile& f, NodeProto& n) { f.Ints("rows", {0}), n.add_input("rows"); },
          "axis: expected 1..3, not the batch, got 0"),
      with(
          "rows in too much disorder", "Gather",
          [](OnnxFile& f, NodeProto& n) {
            f.Ints("rows", std::vector<int64_t>(17, 2)), n.add_input("rows"), SetInt(n, "axis", 1);
          },
          "rows: expected at most 16 runs of ascending ones, got 17"),
      with(
          "another size", "Resize",
          [](OnnxFile& f, NodeProto& n) {
            f.Ints("sizes", {1, 4, 12, 12});
            for (const char* name : {"", "", "sizes"}) n.add_input(name);
          },
          "result: expected a map of the input's size, batch,4,6,6, for resizing is the recipe's"),
      with(
          "a part of a map", "Resize",
          [](OnnxFile&, NodeProto& n) { SetString(n, "coordinate_transformation_mode", "tf_crop_and_resize"); },
          "expected one that reads the whole map, got tf_crop_and_resize"),
  });
}

TEST(ReadOnnx, RefusesWrongArithmetic) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
  const auto with = [](const char* what, const char* op, const std::vector<int64_t>& a, const std::vector<int64_t>& b,
                       const char* message) {
    return Spoilt(
        what,
        [=](OnnxFile& f) {
          f.Ints("a", a), f.Ints("b", b), f.Node(op, {"a", "b"}, "z");
        },
        message);
  };
  Check({
      with("a sum too large", "Add", {kMost}, {2},
           "operands: expected a result of 64 bits, got 9223372036854775807 and 2"),
      with("a difference too small", "Sub", {kLeast}, {2}, "operands: expected a result of 64 bits"),
      with("a product too large", "Mul", {kMost}, {2}, "operands: expected a result of 64 bits"),
      with("a quotient too large", "Div", {kLeast}, {-1}, "operands: expected a result of 64 bits"),
      with("nothing to divide by", "Div", {4}, {0}, "operands: expected a result of 64 bits, got 4 and 0"),
      with("lists of other lengths", "Mul", {1, 2}, {1, 2, 3}, "second operand: expected 2, got 3"),
      Spoilt(
          "floats and integers",
          [](OnnxFile& f) {
            f.Ints("a", {1}), f.Floats("b", {1}), f.Node("Mul", {"a", "b"}, "z");
          },
          "operands: expected two of a type, got floats and integers"),
      Spoilt(
          "a matrix of 9 by 8",
          [](OnnxFile& f) {
            f.Ints("a", std::vector<int64_t>(9, 1)), f.Ints("b", std::vector<int64_t>(8, 1)), f.Ints("to", {-1, 1});
            f.Node("Reshape", {"a", "to"}, "column"), f.Node("Add", {"column", "b"}, "z");
          },
          "result: expected at most 64 integers, got more"),
      Spoilt(
          "the batch as a float",
          [](OnnxFile& f) {
            f.Node("Shape", {"c"}, "s"), SetInt(f.Node("Cast", {"s"}, "z"), "to", TensorProto::FLOAT);
          },
          "input: expected integers known at load, got batch,4,6,6"),
      Spoilt(
          "a slice that ends at the batch",
          [](OnnxFile& f) {
            f.Node("Shape", {"c"}, "s"), f.Ints("zero", {0}), f.Ints("one", {1});
            f.Node("Gather", {"s", "zero"}, "n"), f.Node("Slice", {"c", "zero", "n", "one"}, "z");
          },
          "starts and ends: expected numbers known at load, got the batch"),
      Spoilt(
          "the batch among the channels",
          [](OnnxFile& f) {
            f.Node("Shape", {"c"}, "s"), f.Ints("order", {0, 0, 1});
            f.Node("Gather", {"s", "order"}, "to"), f.Node("Reshape", {"c", "to"}, "z");
          },
          "shape: expected 144 elements, got batch,batch,4"),
      Spoilt(
          "truth", [](OnnxFile& f) { f.Ints("a", {1}), SetInt(f.Node("Cast", {"a"}, "z"), "to", TensorProto::BOOL); },
          "attribute 'to': expected INT64, INT32 or a type of floats, got BOOL"),
      Spoilt(
          "part of one integer",
          [](OnnxFile& f) {
            f.Int("a", 1), f.Int("b", 0), f.Node("Gather", {"a", "b"}, "z");
          },
          "input 0: expected a list of integers, got one integer"),
      Spoilt(
          "one integer joined", [](OnnxFile& f) { f.Int("a", 1), SetInt(f.Node("Concat", {"a"}, "z"), "axis", 0); },
          "inputs: expected lists of integers along axis 0, got another along 0"),
      Spoilt(
          "a perm of more axes",
          [](OnnxFile& f) {
            SetInts(f.Node("Transpose", {"fw"}, "z"), "perm", {1, 0, 2});
          },
          "attribute 'perm': expected each of 2 axes once, got 1,0,2"),
      Spoilt(
          "65 integers in an attribute",
          [](OnnxFile& f) { SetInts(f.Node("Constant", {}, "z"), "value_ints", std::vector<int64_t>(65, 1)); },
          "attribute 'value_ints': expected at most 64, got 65"),
      Spoilt(
          "no floats in an attribute",
          [](OnnxFile& f) { Attribute(f.Node("Constant", {}, "z"), "value_floats", AttributeProto::FLOATS); },
          "attribute 'value_floats': expected at least one value, got none"),
  });
}

// Operators on integers alone: input 0 is the list "shape" of 0, 4, 6, 6 or the matrix "matrix" of 1, 2 and 3, 4.
TEST(ReadOnnx, RefusesWrongIntegers) {
  const auto integers = [](NodeProto& n) {
    TensorProto& value = *Attribute(n, "value", AttributeProto::TENSOR).mutable_t();
    value.set_data_type(TensorProto::INT64);
    value.add_dims(1), value.add_int64_data(0);
  };
  const auto fill = [=](NodeProto& n) { n.mutable_input()->DeleteSubrange(0, 1), integers(n); };
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
      with("two sizes for a constant", "ConstantOfShape", "square", {}, integers, "shape: expected one value, got 2,2"),
      with("too many constants", "ConstantOfShape", "c", {{65}}, fill, "shape: expected 0 to 64, got 65"),
      with("less than no constants", "ConstantOfShape", "c", {{-1}}, fill, "shape: expected 0 to 64, got -1"),
  });
}

}  // namespace
}  // namespace resnetd::onnx
