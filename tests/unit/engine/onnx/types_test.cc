// Floats of other widths, rows in another order, and functions of the file.
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "engine/onnx/element_types.h"
#include "engine/onnx/functions.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_refusal.h"

namespace resnetd::onnx {
namespace {

using testing::HasSubstr;

uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// The definition, in double.
double Half(int bits) {
  const int exponent = (bits >> 10) & 0x1F, fraction = bits & 0x3FF;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(ElementTypes, EveryHalfIsExact) {
  for (int bits = 0; bits < 1 << 16; ++bits) {
    const float value = FromFloat16(static_cast<uint16_t>(bits));
    const bool special = ((bits >> 10) & 0x1F) == 31;
    if (!special) {
      ASSERT_EQ(BitsOf(value), BitsOf(static_cast<float>(Half(bits)))) << bits;
    } else if ((bits & 0x3FF) == 0) {
      ASSERT_EQ(value, (bits & 0x8000) != 0 ? -INFINITY : INFINITY) << bits;
    } else {
      ASSERT_TRUE(std::isnan(value)) << bits;
    }
    ASSERT_EQ(BitsOf(FromBfloat16(static_cast<uint16_t>(bits))), static_cast<uint32_t>(bits) << 16);
  }
}

TEST(ElementTypes, HaveNamesThoughTheSchemaIsOlder) {
  EXPECT_EQ(TypeName(TensorProto::BFLOAT16), "BFLOAT16");
  EXPECT_EQ(TypeName(22), "INT4");
  EXPECT_EQ(TypeName(99), "data type 99");
  EXPECT_EQ(TypeName(-1), "data type -1");
}

// An infinity among halves must not be lost on the way to the check of weights.
TEST(ReadOnnx, HalvesKeepTheirValues) {
  OnnxFile file;
  Network(file);
  TensorProto& w = *file.graph().mutable_initializer(0);
  w.set_data_type(TensorProto::FLOAT16);
  w.clear_raw_data();
  for (int i = 0; i < 108; ++i) w.add_int32_data(i % 2 == 0 ? 0x0001 : 0x7C00);
  const auto graph = ReadBytes(file.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const graph::Floats& data = std::get<graph::Conv>(graph->nodes[0].op).weights->data;
  EXPECT_EQ(data[0], 0x1p-24f);
  EXPECT_EQ(data[1], INFINITY);
}

TEST(ReadOnnx, RowsInAnotherOrder) {
  const auto read = [](const std::function<void(OnnxFile&)>& build, int opset = 17) {
    OnnxFile file(opset);
    build(file);
    file.Node("Flatten", {"z"}, "y");
    const auto graph = ReadBytes(file.Bytes());
    EXPECT_TRUE(graph.ok()) << graph.status();
    std::string ops;
    for (const graph::Node& node : graph->nodes) {
      absl::StrAppend(&ops, OpName(node.op), "{", graph::ToString(graph->value(node.output).dims), "} ");
    }
    return ops;
  };
  const auto gather = [&](const std::vector<int64_t>& rows, int64_t axis) {
    return read([&](OnnxFile& f) { f.Ints("rows", rows), SetInt(f.Node("Gather", {"x", "rows"}, "z"), "axis", axis); });
  };
  const std::string flipped = "Slice{1x8x8} Slice{1x8x8} Slice{1x8x8} Concat{3x8x8} Reshape{192} ";
  EXPECT_EQ(gather({2, 1, 0}, 1), flipped);
  EXPECT_EQ(gather({-1, -2, -3}, -3), flipped);
  EXPECT_EQ(gather({0, 1, 2}, 1), "Reshape{192} ");
  EXPECT_EQ(gather({0, 2}, 1), "Slice{2x8x8} Reshape{128} ");
  EXPECT_EQ(gather({0, 2, 0}, 1), "Slice{2x8x8} Slice{1x8x8} Concat{3x8x8} Reshape{192} ");
  EXPECT_EQ(gather({1, 4, 7}, 3), "Slice{3x8x3} Reshape{72} ");
  EXPECT_EQ(read([](OnnxFile& f) {
              f.Int("row", 1), SetInt(f.Node("Gather", {"x", "row"}, "z"), "axis", 1);
            }),
            "Slice{1x8x8} Reshape{8x8} Reshape{64} ");
  EXPECT_EQ(read([](OnnxFile& f) {
              f.Ints("last", {-1}), f.Ints("end", {-1000}), f.Ints("axis", {1}), f.Ints("step", {-1});
              f.Node("Slice", {"x", "last", "end", "axis", "step"}, "z");
            }),
            flipped);
  EXPECT_EQ(read([](OnnxFile& f) { f.Node("CastLike", {"x", "x"}, "z"); }), "Reshape{192} ");
  EXPECT_EQ(read([](OnnxFile& f) { f.Node("Swish", {"x"}, "z"); }, 24), "Swish{3x8x8} Reshape{192} ");
  EXPECT_EQ(read([](OnnxFile& f) {
              f.Ints("sizes", {1, 3, 8, 8});
              f.Describe(*f.graph().mutable_input(0), "x", {1, 3, 8, 8});
              f.Node("Resize", {"x", "", "", "sizes"}, "z");
            }),
            "Reshape{192} ");
  EXPECT_EQ(read(
                [](OnnxFile& f) {
                  f.Floats("scales", {4}), f.Node("Upsample", {"x", "scales"}, "z");
                },
                9),
            "Reshape{192} ");
}

using OpsetImports = google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto>;

void SetOpset(OpsetImports& opsets, int version) {
  opsets.Add()->set_version(version);
}

// A function "f.NAME" of one input and one output that is `nodes` calls of `op` one after the other.
::onnx::FunctionProto& AddFunction(OnnxFile& f, const char* name, const char* op, const char* domain, int nodes = 1) {
  ::onnx::FunctionProto& function = *f.model.add_functions();
  function.set_domain("f");
  function.set_name(name);
  function.add_input("v0");
  function.add_output(absl::StrCat("v", nodes));
  SetOpset(*function.mutable_opset_import(), 13);
  for (int i = 0; i < nodes; ++i) {
    NodeProto& node = *function.add_node();
    node.set_op_type(op);
    node.set_domain(domain);
    node.add_input(absl::StrCat("v", i));
    node.add_output(absl::StrCat("v", i + 1));
  }
  return function;
}

void CallFunction(OnnxFile& f, const char* name) {
  NodeProto& call = f.Node(name, {"x"}, "z");
  call.set_domain("f");
  f.Node("Flatten", {"z"}, "y");
}

TEST(Functions, AreUnfoldedAtTheirOwnOpset) {
  OnnxFile file;
  AddFunction(file, "Twice", "Once", "f", 2);
  AddFunction(file, "Once", "Relu", "", 2);
  CallFunction(file, "Twice");
  const std::string bytes = file.Bytes();
  const auto graph = ReadBytes(bytes);
  ASSERT_TRUE(graph.ok()) << graph.status();
  std::vector<std::string> names;
  for (const graph::Node& node : graph->nodes) names.push_back(graph->value(node.output).name);
  EXPECT_THAT(names, testing::ElementsAre("z::Twice::v1::Once::v1", "z::Twice::v1", "z::Once::v1", "z", "y"));
  EXPECT_EQ(graph->nodes[1].name, "node0::Once::Relu");
  ParsedModel parsed = *ParseModel(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()));
  EXPECT_THAT(*InlineFunctions(bytes.size(), parsed.model), testing::ElementsAre(13, 13, 13, 13, 17));
}

TEST(Functions, AnInputMayBeAnOutput) {
  OnnxFile file;
  AddFunction(file, "Same", "Relu", "").set_output(0, "v0");
  CallFunction(file, "Same");
  const auto graph = ReadBytes(file.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
}

TEST(Functions, HaveBounds) {
  const auto refused = [](const std::function<void(OnnxFile&)>& build) {
    OnnxFile file;
    build(file);
    const std::string message(ReadBytes(file.Bytes()).status().message());
    return message;
  };
  EXPECT_THAT(
      refused([](OnnxFile& f) { AddFunction(f, "A", "B", "f"), AddFunction(f, "B", "A", "f"), CallFunction(f, "A"); }),
      HasSubstr("function 'A': it calls itself"));
  const char* const names[] = {"F0", "F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9"};
  EXPECT_THAT(refused([&](OnnxFile& f) {
                for (int i = 0; i < 9; ++i) AddFunction(f, names[i], names[i + 1], "f");
                AddFunction(f, "F9", "Relu", ""), CallFunction(f, "F0");
              }),
              HasSubstr("functions call functions more than 8 deep"));
  // 30 to the power of 7 calls of a function without nodes.
  EXPECT_THAT(refused([&](OnnxFile& f) {
                for (int i = 0; i < 7; ++i) AddFunction(f, names[i], names[i + 1], "f", 30);
                AddFunction(f, "F7", "", "", 0), CallFunction(f, "F0");
              }),
              HasSubstr("functions of the file unfold to more than 20000 nodes and calls"));
  EXPECT_THAT(refused([&](OnnxFile& f) {
                ::onnx::FunctionProto& big = AddFunction(f, "Big", "Relu", "", 1000);
                for (NodeProto& node : *big.mutable_node()) SetString(node, "s", std::string(500, 's'));
                AddFunction(f, "Many", "Big", "f", 19), CallFunction(f, "Many");
              }),
              HasSubstr("unfold to more memory than the file's size and 16 MiB"));
  EXPECT_THAT(refused([](OnnxFile& f) {
                AddFunction(f, "A", "Relu", ""), AddFunction(f, "A", "Relu", ""), CallFunction(f, "A");
              }),
              HasSubstr("function 'A': the file defines it twice"));
  EXPECT_THAT(refused([](OnnxFile& f) {
                AddFunction(f, "A", "Relu", "").mutable_opset_import(0)->set_version(6), CallFunction(f, "A");
              }),
              HasSubstr("function 'A': expected opset 7 to 28, got 6"));
}

}  // namespace
}  // namespace resnetd::onnx
