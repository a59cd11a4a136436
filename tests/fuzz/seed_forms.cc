#include <initializer_list>
#include <string>

#include "tests/fuzz/seed_networks.h"

namespace resnetd::fuzz {
namespace {

using onnx::NodeProto;
using onnx::OnnxFile;
using onnx::SetInt;
using onnx::SetInts;
using onnx::TensorProto;

void Free(OnnxFile& f, const std::vector<int64_t>& dims) {
  OnnxFile::Describe(*f.graph().mutable_input(0), "x", dims);
}

void Bytes(OnnxFile& f, const std::vector<int64_t>& dims) {
  Free(f, dims);
  f.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(TensorProto::UINT8);
}

void Conv(OnnxFile& f, const char* from, const char* to) {
  f.Floats("w", {3, 3, 1, 1}, 0.1f);
  f.Node("Conv", {from, "w"}, to);
}

// Weights of another type, as raw data or as a list.
void Retype(OnnxFile& f, TensorProto::DataType type, bool listed) {
  for (TensorProto& t : *f.graph().mutable_initializer()) {
    if (t.data_type() != TensorProto::FLOAT) continue;
    const size_t count = t.raw_data().size() / sizeof(float);
    t.set_data_type(type);
    t.clear_raw_data();
    if (type == TensorProto::DOUBLE) {
      for (size_t i = 0; i < count; ++i) t.add_double_data(0.25);
      continue;
    }
    const int half = type == TensorProto::FLOAT16 ? 0x3400 : 0x3E80;  // a quarter
    for (size_t i = 0; i < count; ++i) {
      if (listed) t.add_int32_data(half);
      if (!listed) t.mutable_raw_data()->append({static_cast<char>(half & 0xFF), static_cast<char>(half >> 8)});
    }
  }
}

Network Typed(const char* name, TensorProto::DataType type, bool listed) {
  return {name, 17, [=](OnnxFile& f) {
            SetInt(f.Node("Cast", {"x"}, "a"), "to", type);
            Conv(f, "a", "b");
            Classify(f, "b", 3);
            Retype(f, type, listed);
            f.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(type);
          }};
}

void Function(OnnxFile& f, const char* name, const char* op, const char* domain) {
  auto& function = *f.model.add_functions();
  function.set_domain("f");
  function.set_name(name);
  function.add_input("a");
  function.add_output("c");
  function.add_opset_import()->set_version(17);
  for (const auto& [from, to] : {std::pair("a", "b"), std::pair("b", "c")}) {
    NodeProto& node = *function.add_node();
    node.set_op_type(op);
    node.set_domain(domain);
    node.add_input(from);
    node.add_output(to);
  }
}

}  // namespace

std::vector<Network> Forms() {
  return {
      Typed("floats-of-16-bits", TensorProto::FLOAT16, false),
      Typed("floats-of-16-bits-listed", TensorProto::FLOAT16, true),
      Typed("bfloats", TensorProto::BFLOAT16, false),
      Typed("doubles", TensorProto::DOUBLE, true),
      {"free-size", 17,
       [](OnnxFile& f) {
         Free(f, {0, 0, 0, 0});
         Conv(f, "x", "a");
         Classify(f, "a", 3);
       }},
      {"free-size-solved", 17,
       [](OnnxFile& f) {
         Free(f, {0, 3, 0, 0});
         Conv(f, "x", "a");
         f.Ints("to", {-1, 192}), f.Floats("v", {192, 10}, 0.1f);
         f.Node("Reshape", {"a", "to"}, "b");
         f.Node("MatMul", {"b", "v"}, "y");
       }},
      {"resize-to-its-own-size", 17,
       [](OnnxFile& f) {
         Free(f, {0, 3, 0, 0});
         f.Ints("two", {2}), f.Ints("four", {4}), f.Ints("zero", {0}), f.Floats("one", {2});
         f.Node("Shape", {"x"}, "s");
         f.Node("Slice", {"s", "two", "four"}, "hw");
         SetInt(f.Node("Cast", {"hw"}, "fl"), "to", TensorProto::FLOAT);
         f.Node("Mul", {"fl", "one"}, "m");
         f.Node("Floor", {"m"}, "r");
         SetInt(f.Node("Cast", {"r"}, "i"), "to", TensorProto::INT64);
         f.Node("Slice", {"s", "zero", "two"}, "nc");
         SetInt(f.Node("Concat", {"nc", "i"}, "to"), "axis", 0);
         f.Node("Resize", {"x", "", "", "to"}, "z");
         Classify(f, "z", 3);
       }},
      {"bytes", 17,
       [](OnnxFile& f) {
         Bytes(f, {0, 8, 8, 3});
         f.Floats("mean", {3}, 120), f.Floats("std", {3}, 60), f.Ints("flip", {2, 1, 0});
         SetInt(f.Node("Gather", {"x", "flip"}, "a"), "axis", 3);
         SetInt(f.Node("Cast", {"a"}, "b"), "to", TensorProto::FLOAT);
         f.Node("Sub", {"b", "mean"}, "c");
         f.Node("Div", {"c", "std"}, "d");
         SetInts(f.Node("Transpose", {"d"}, "e"), "perm", {0, 3, 1, 2});
         Conv(f, "e", "g");
         Classify(f, "g", 3);
       }},
      {"bytes-batch-norm-split", 18,
       [](OnnxFile& f) {
         Bytes(f, {0, 3, 8, 8});
         for (const char* name : {"scale", "shift", "mean", "variance"}) f.Floats(name, {3});
         SetInt(f.Node("Cast", {"x"}, "a"), "to", TensorProto::FLOAT);
         f.Node("BatchNormalization", {"a", "scale", "shift", "mean", "variance"}, "b");
         NodeProto& split = SetInt(SetInt(f.Node("Split", {"b"}, "s0"), "axis", 1), "num_outputs", 3);
         split.add_output("s1"), split.add_output("s2");
         SetInt(f.Node("Concat", {"s2", "s1", "s0"}, "c"), "axis", 1);
         Conv(f, "c", "d");
         Classify(f, "d", 3);
       }},
      {"slice-backwards", 17,
       [](OnnxFile& f) {
         f.Ints("last", {-1}), f.Ints("first", {-10000}), f.Ints("axis", {1}), f.Ints("back", {-1});
         f.Node("Slice", {"x", "last", "first", "axis", "back"}, "a");
         Classify(f, "a", 3);
       }},
      {"functions", 28,
       [](OnnxFile& f) {
         Function(f, "Twice", "Once", "f");
         Function(f, "Once", "Relu", "");
         f.Node("Twice", {"x"}, "a").set_domain("f");
         Classify(f, "a", 3);
       }},
      {"swish-and-types-like", 24,
       [](OnnxFile& f) {
         f.Node("Swish", {"x"}, "a");
         f.Node("CastLike", {"a", "x"}, "b");
         Classify(f, "b", 3);
       }},
  };
}

}  // namespace resnetd::fuzz
