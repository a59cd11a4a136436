// Tests what is computed at load: shapes with their batch of unknown size, and constants.
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_reading.h"

namespace resnetd::onnx {
namespace {

// Reads "x" reshaped to the list "to", which `build` makes of the shape "s" of x.
ReadCase ToShape(const char* what, const std::function<void(OnnxFile&)>& build, const char* expected,
                 Opsets opsets = {}) {
  return {what,
          [build](OnnxFile& f) {
            f.Node("Shape", {"x"}, "s");
            build(f);
            f.Node("Reshape", {"x", "to"}, "z");
          },
          expected, opsets};
}

// One node of lists: its inputs are "s" or lists named after their values.
void Make(OnnxFile& f, const char* op, const std::vector<std::vector<int64_t>>& lists, const char* first,
          const char* output) {
  NodeProto& node = f.Node(op, {first}, output);
  for (size_t i = 0; i < lists.size(); ++i) {
    const std::string name = absl::StrCat(output, i);
    f.Ints(name, lists[i]), node.add_input(name);
  }
}

TEST(ReadOnnx, ShapeArithmetic) {
  CheckRead({
      ToShape(
          "as it is", [](OnnxFile& f) { f.Node("Identity", {"s"}, "to"); }, ""),
      ToShape(
          "gathered",
          [](OnnxFile& f) {
            Make(f, "Gather", {{0, 2, -1, 1}}, "s", "to");
          },
          "Reshape{8x8x3}"),
      ToShape("a slice and a number",
              [](OnnxFile& f) {
                Make(f, "Slice", {{0}, {2}, {0}}, "s", "head"), f.Ints("rest", {-1});
                SetInt(f.Node("Concat", {"head", "rest"}, "to"), "axis", 0);
              },
              "Reshape{3x64}", {10}),
      ToShape("a slice of old",
              [](OnnxFile& f) {
                SetInts(SetInts(f.Node("Slice", {"s"}, "head"), "starts", {0}), "ends", {-2}), f.Ints("rest", {-1});
                SetInt(f.Node("Concat", {"head", "rest"}, "to"), "axis", 0);
              },
              "Reshape{3x64}", {7, 9}),
      ToShape(
          "products and quotients of sizes",
          [](OnnxFile& f) {
            f.Ints("two", {2}), f.Ints("factors", {1, 2, 1, 1}), f.Ints("divisors", {1, 1, 2, 1});
            f.Node("Mul", {"s", "factors"}, "m"), f.Node("Div", {"m", "divisors"}, "to");
          },
          "Reshape{6x4x8}"),
      ToShape(
          "sums and differences",
          [](OnnxFile& f) {
            f.Ints("more", {0, 3, 0, -4}), f.Ints("less", {0, 0, 0, 0});
            f.Node("Add", {"more", "s"}, "m"), f.Node("Sub", {"m", "less"}, "to");
          },
          "Reshape{6x8x4}"),
      ToShape(
          "one number with all",
          [](OnnxFile& f) {
            f.Int("one", 1), f.Node("Mul", {"one", "s"}, "m"), f.Node("Div", {"m", "one"}, "to");
          },
          ""),
      ToShape(
          "casts",
          [](OnnxFile& f) {
            SetInt(f.Node("Cast", {"s"}, "narrow"), "to", TensorProto::INT32);
            SetInt(f.Node("Cast", {"narrow"}, "to"), "to", TensorProto::INT64);
          },
          ""),
      ToShape("parts of a shape",
              [](OnnxFile& f) {
                SetInt(f.Node("Shape", {"x"}, "batch"), "end", 1);
                SetInt(f.Node("Shape", {"x"}, "width"), "start", -1);
                SetInt(SetInt(f.Node("Shape", {"x"}, "none"), "start", 3), "end", 2);
                f.Ints("rest", {-1});
                SetInt(f.Node("Concat", {"batch", "none", "width", "rest"}, "to"), "axis", 0);
              },
              "Reshape{8x24}", {15}),
      ToShape(
          "the shape of a constant",
          [](OnnxFile& f) {
            f.Floats("k", {24, 8}), f.Node("Shape", {"k"}, "ks"), f.Ints("batch", {-1});
            SetInt(f.Node("Concat", {"batch", "ks"}, "to"), "axis", 0);
          },
          "Reshape{24x8}"),
      ToShape("rows of a matrix",
              [](OnnxFile& f) {
                f.Ints("six", {0, 24, 8, 9, 9, 9}), f.Ints("two_by_three", {2, -1}), f.Ints("list", {-1});
                f.Node("Reshape", {"six", "two_by_three"}, "matrix");
                Make(f, "Slice", {{0, 0}, {1, 2}}, "matrix", "corner");
                f.Node("Reshape", {"corner", "list"}, "head"), f.Ints("rest", {-1});
                SetInt(f.Node("Concat", {"head", "rest"}, "to"), "axis", 0);
              },
              "Reshape{24x8}", {10}),
  });
}

// One integer of a shape becomes a list and back.
TEST(ReadOnnx, ScalarsAndListsOfIntegers) {
  for (const bool input : {false, true}) {
    const auto axes = [input](OnnxFile& f, NodeProto& node) {
      if (input) {
        f.Ints(absl::StrCat(node.output(0), "/axes"), {0}), node.add_input(absl::StrCat(node.output(0), "/axes"));
      } else {
        SetInts(node, "axes", {0});
      }
    };
    CheckRead({ToShape(
        "the batch",
        [&](OnnxFile& f) {
          f.Int("zero", 0), f.Ints("rest", {-1});
          f.Node("Gather", {"s", "zero"}, "n");
          axes(f, f.Node("Unsqueeze", {"n"}, "n1"));
          axes(f, f.Node("Squeeze", {"n1"}, "n0"));
          axes(f, f.Node("Unsqueeze", {"n0"}, "n2"));
          SetInt(f.Node("Concat", {"n2", "rest"}, "to"), "axis", -1);
        },
        "Reshape{192}", input ? Opsets{13} : Opsets{7, 12})});
  }
}

TEST(ReadOnnx, BatchThatWouldChange) {
  struct BatchCase {
    const char* op;
    std::vector<int64_t> factors;
    bool turned;
  };
  for (const BatchCase& c : std::vector<BatchCase>{{"Mul", {2, 1, 1, 1}, false},
                                                   {"Mul", {3}, true},
                                                   {"Div", {2, 1, 1, 1}, false},
                                                   {"Div", {1, 1, 1, 1}, true},
                                                   {"Add", {1, 0, 0, 0}, false},
                                                   {"Sub", {0, 0, 0, 0}, true}}) {
    OnnxFile f;
    f.Node("Shape", {"x"}, "s"), f.Ints("k", c.factors);
    f.Node(c.op, {c.turned ? "k" : "s", c.turned ? "s" : "k"}, "to");
    f.Node("Reshape", {"x", "to"}, "y");
    EXPECT_THAT(std::string(ReadBytes(f.Bytes()).status().message()),
                testing::HasSubstr(
                    absl::StrCat("node 'node1' (", c.op, ", opset 17): operands: expected the batch size as it is")))
        << c.op;
  }
}

// The constant of the node that reads "k" and "x"; its own dims and what they are in the graph.
TEST(ReadOnnx, FoldedConstants) {
  struct ConstantCase {
    const char* what;
    std::function<void(OnnxFile&)> build;
    const char* dims;
    std::vector<float> first;
    Opsets opsets = {};
  };
  const auto constant = [](const char* attribute, const std::function<void(AttributeProto&)>& set,
                           AttributeProto::AttributeType type) {
    return [=](OnnxFile& f) { set(Attribute(f.Node("Constant", {}, "k"), attribute, type)); };
  };
  const auto binary = [](const char* op) {
    return [op](OnnxFile& f) {
      f.Floats("a", {3, 1, 1}, 6), f.Floats("b", {8}, 4);
      f.Node(op, {"a", "b"}, "k");
    };
  };
  const std::vector<ConstantCase> cases = {
      {"a float",
       constant(
           "value_float", [](AttributeProto& a) { a.set_f(2); }, AttributeProto::FLOAT),
       "1x1x1",
       {2}},
      {"floats",
       constant(
           "value_floats",
           [](AttributeProto& a) {
             for (int i = 0; i < 8; ++i) a.add_floats(static_cast<float>(i));
           },
           AttributeProto::FLOATS),
       "1x1x8",
       {0, 1, 2}},
      {"sum", binary("Add"), "3x1x8", {10, 10}},
      {"difference", binary("Sub"), "3x1x8", {2, 2}},
      {"product", binary("Mul"), "3x1x8", {24, 24}},
      {"quotient", binary("Div"), "3x1x8", {1.5f, 1.5f}},
      {"cast",
       [](OnnxFile& f) { f.Ints("i", {3}), SetInt(f.Node("Cast", {"i"}, "k"), "to", TensorProto::FLOAT); },
       "1x1x1",
       {3}},
      {"cast of floats",
       [](OnnxFile& f) { f.Floats("i", {8}), SetInt(f.Node("Cast", {"i"}, "k"), "to", TensorProto::FLOAT); },
       "1x1x8",
       {1}},
      {"reshaped",
       [](OnnxFile& f) {
         f.Floats("v", {3}, 5), f.Ints("to", {0, -1, 1}), f.Node("Reshape", {"v", "to"}, "k");
       },
       "3x1x1",
       {5, 5, 5}},
      {"unsqueezed",
       [](OnnxFile& f) {
         f.Floats("v", {3}, 5), SetInts(f.Node("Unsqueeze", {"v"}, "k"), "axes", {1, 2});
       },
       "3x1x1",
       {5, 5, 5},
       {7, 12}},
      {"squeezed of all",
       [](OnnxFile& f) {
         f.Floats("v", {1, 8, 1}, 5), f.Node("Squeeze", {"v"}, "k");
       },
       "1x1x8",
       {5}},
      {"transposed",
       [](OnnxFile& f) {
         const std::vector<float> data = {1, 2, 3};
         f.Floats("v", {1, 1, 3}).set_raw_data(data.data(), 12), f.Node("Transpose", {"v"}, "k");
       },
       "3x1x1",
       {1, 2, 3}},
      {"identity", [](OnnxFile& f) { f.Floats("v", {}, 5), f.Node("Identity", {"v"}, "k"); }, "1x1x1", {5}},
  };
  for (const ConstantCase& c : cases) {
    for (int opset = c.opsets.first; opset <= c.opsets.last; ++opset) {
      OnnxFile f(opset);
      c.build(f);
      f.Node("Add", {"k", "x"}, "z"), f.Node("Flatten", {"z"}, "y");
      const auto graph = ReadBytes(f.Bytes());
      ASSERT_TRUE(graph.ok()) << c.what << ": " << graph.status();
      const graph::WeightsRef constant_ref = std::get<graph::Binary>(graph->nodes[0].op).constant;
      EXPECT_EQ(graph::ToString(constant_ref->dims), c.dims) << c.what;
      ASSERT_GE(constant_ref->data.size(), c.first.size()) << c.what;
      EXPECT_TRUE(std::equal(c.first.begin(), c.first.end(), constant_ref->data.begin())) << c.what;
    }
  }
}

// The order of elements, by a transpose of three axes: element (i, j, k) of the result is (k, i, j) of the file.
// Some exporters leave the root of two in x / sqrt(2) to be computed.
TEST(ReadOnnx, FunctionsOfConstants) {
  struct Function {
    const char* op;
    float expected;  // of 4
  };
  for (const Function& c : {Function{"Sqrt", 2},
                            {"Neg", -4},
                            {"Abs", 4},
                            {"Reciprocal", 0.25f},
                            {"Exp", 54.598148f},
                            {"Log", 1.3862944f}}) {
    OnnxFile f(17);
    f.Floats("four", {}, 4);
    f.Node(c.op, {"four"}, "k"), f.Node("Mul", {"x", "k"}, "z"), f.Node("Flatten", {"z"}, "y");
    const auto graph = ReadBytes(f.Bytes());
    ASSERT_TRUE(graph.ok()) << c.op << ": " << graph.status();
    EXPECT_FLOAT_EQ(std::get<graph::Binary>(graph->nodes[0].op).constant->data.front(), c.expected) << c.op;
  }
}

TEST(ReadOnnx, TransposedConstants) {
  OnnxFile f;
  std::vector<float> data(2 * 3 * 8);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(i);
  f.Floats("v", {2, 3, 8}).set_raw_data(data.data(), data.size() * sizeof(float));
  SetInts(f.Node("Transpose", {"v"}, "k"), "perm", {1, 2, 0});
  f.Describe(*f.graph().mutable_input(0), "x", {0, 3, 8, 2});
  f.Node("Add", {"x", "k"}, "z"), f.Node("Flatten", {"z"}, "y");
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const graph::Weights& k = *std::get<graph::Binary>(graph->nodes.front().op).constant;
  ASSERT_EQ(k.dims, (graph::Dims{3, 8, 2}));
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 8; ++j) {
      for (size_t m = 0; m < 2; ++m) EXPECT_EQ(k.data[(i * 8 + j) * 2 + m], data[(m * 3 + i) * 8 + j]);
    }
  }
}

// PyTorch writes F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 2)) thus: the pads, last axis first, are filled up with
// zeros, paired, turned round and put into ONNX's order.
TEST(ReadOnnx, OptionAOfPyTorch) {
  OnnxFile f;
  const int64_t far = std::numeric_limits<int64_t>::max();
  f.Ints("zero", {0}), f.Ints("end", {far}), f.Ints("one_back", {-1}), f.Ints("far_back", {-far});
  f.Ints("step", {2}), f.Ints("two", {2}), f.Ints("three", {3}), f.Ints("pairs", {-1, 2}), f.Ints("list", {-1});
  f.Ints("pad", {0, 0, 0, 0, 1, 2});
  f.Node("Slice", {"x", "zero", "end", "two", "step"}, "rows");
  f.Node("Slice", {"rows", "zero", "end", "three", "step"}, "s");
  TensorProto& fill =
      *Attribute(f.Node("ConstantOfShape", {"two"}, "zeros"), "value", AttributeProto::TENSOR).mutable_t();
  fill.set_data_type(TensorProto::INT64);
  fill.add_dims(1), fill.add_int64_data(0);
  SetInt(f.Node("Concat", {"pad", "zeros"}, "p8"), "axis", 0);
  f.Node("Reshape", {"p8", "pairs"}, "p42");
  f.Node("Slice", {"p42", "one_back", "far_back", "zero", "one_back"}, "turned");
  SetInts(f.Node("Transpose", {"turned"}, "p24"), "perm", {1, 0});
  f.Node("Reshape", {"p24", "list"}, "pads");
  SetInt(f.Node("Cast", {"pads"}, "pads64"), "to", TensorProto::INT64);
  f.Node("Pad", {"s", "pads64"}, "p");
  f.Node("Flatten", {"p"}, "y");
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(Summary(*graph, 0, 1),
            "Slice [0:3, 0:8:2, 0:8]{3x4x8}, Slice [0:3, 0:4, 0:8:2]{3x4x4}, Pad 1,0,0 before 2,0,0 after{6x4x4}");
}

// PyTorch wrote group normalisation thus before ONNX had it.
TEST(ReadOnnx, GroupNormalizationOfPyTorch) {
  OnnxFile f;
  f.Floats("w", {4, 3, 1, 1}), f.Ints("groups", {0, 2, -1}), f.Floats("one", {2}), f.Floats("zero", {2}, 0);
  f.Floats("scale", {4, 1, 1}), f.Floats("shift", {4, 1, 1});
  f.Node("Conv", {"x", "w"}, "c"), f.Node("Reshape", {"c", "groups"}, "g");
  f.Node("InstanceNormalization", {"g", "one", "zero"}, "i");
  f.Node("Shape", {"c"}, "s"), f.Node("Reshape", {"i", "s"}, "r");
  f.Node("Mul", {"r", "scale"}, "m"), f.Node("Add", {"m", "shift"}, "z"), f.Node("Flatten", {"z"}, "y");
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(Summary(*graph, 0, 1),
            "Conv 1x1{4x8x8}, Reshape{2x128}, GroupNorm groups 2{2x128}, Reshape{4x8x8}, Mul constant 4x1x1{4x8x8}, "
            "Add constant 4x1x1{4x8x8}");
}

// A file of a few bytes that would compute more floats than it holds.
TEST(ReadOnnx, ComputesNoMoreThanTheFileHolds) {
  const auto products = [](int nodes) {
    OnnxFile f;
    f.Floats("a", {256, 1}), f.Floats("b", {256});
    for (int i = 0; i < nodes; ++i) f.Node("Mul", {"a", "b"}, absl::StrCat("p", i));
    f.Node("Flatten", {"x"}, "y");
    return ReadBytes(f.Bytes()).status();
  };
  EXPECT_TRUE(products(16).ok()) << products(16);
  EXPECT_THAT(std::string(products(17).message()),
              testing::HasSubstr("node 'node16' (Mul, opset 17): constants computed at load: expected fewer elements"));
}

}  // namespace
}  // namespace resnetd::onnx
