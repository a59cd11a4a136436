// Layers, normalisations, windows and reductions.
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_reading.h"

namespace resnetd::onnx {
namespace {

TEST(ReadOnnx, GemmIsTransposedAndScaled) {
  OnnxFile f;
  f.Node("Flatten", {"x"}, "v");
  TensorProto& w = f.Floats("w", {192, 2});
  std::vector<float> data(384);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(i);
  w.set_raw_data(data.data(), data.size() * sizeof(float));
  f.Floats("b", {1, 2}, 3);
  SetFloat(SetFloat(f.Node("Gemm", {"v", "w", "b"}, "y"), "alpha", 0.5f), "beta", 2);
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto& gemm = std::get<graph::Gemm>(graph->nodes[1].op);
  EXPECT_EQ(gemm.weights->dims, (graph::Dims{2, 192}));
  EXPECT_EQ(gemm.weights->data[0], 0);
  EXPECT_EQ(gemm.weights->data[1], 1);       // row 1, column 0 of the file: 2, halved
  EXPECT_EQ(gemm.weights->data[192], 0.5f);  // row 0, column 1
  EXPECT_EQ(gemm.bias->data, (std::vector<float>{6, 6}));
}

TEST(ReadOnnx, MatMulIsAlongTheLastAxis) {
  CheckRead({{"of a map",
              [](OnnxFile& f) {
                f.Floats("w", {8, 5}), f.Node("MatMul", {"x", "w"}, "z");
              },
              "Gemm{3x8x5}"},
             {"of a vector",
              [](OnnxFile& f) {
                f.Floats("w", {192, 5});
                f.Node("Flatten", {"x"}, "v"), f.Node("MatMul", {"v", "w"}, "z");
              },
              "Reshape{192}, Gemm{5}"}});
}

// The attributes arrive where they should.
TEST(ReadOnnx, Windows) {
  struct WindowCase {
    const char* what;
    std::function<void(NodeProto&)> set;
    const char* expected;
  };
  const std::vector<WindowCase> cases = {
      {"nothing set", [](NodeProto&) {}, "{4x6x7}"},
      {"pads: top, left, bottom, right",
       [](NodeProto& n) {
         SetInts(n, "pads", {1, 0, 2, 1});
       },
       " pads 1,0,2,1{4x9x8}"},
      {"strides",
       [](NodeProto& n) {
         SetInts(n, "strides", {2, 3});
       },
       "/2,3{4x3x3}"},
      {"dilations",
       [](NodeProto& n) {
         SetInts(n, "dilations", {2, 3});
       },
       " dilation 2,3{4x4x5}"},
      {"VALID", [](NodeProto& n) { SetString(n, "auto_pad", "VALID"); }, "{4x6x7}"},
      {"SAME_UPPER", [](NodeProto& n) { SetString(n, "auto_pad", "SAME_UPPER"); }, " pads 1,0,1,1{4x8x8}"},
      {"SAME_LOWER", [](NodeProto& n) { SetString(n, "auto_pad", "SAME_LOWER"); }, " pads 1,1,1,0{4x8x8}"},
      {"SAME_UPPER with strides",
       [](NodeProto& n) {
         SetString(SetInts(n, "strides", {2, 3}), "auto_pad", "SAME_UPPER");
       },
       "/2,3 pads 0,0,1,0{4x4x3}"},
      {"the kernel again",
       [](NodeProto& n) {
         SetInts(n, "kernel_shape", {3, 2});
       },
       "{4x6x7}"},
  };
  for (const WindowCase& c : cases) {
    CheckRead({{c.what,
                [&](OnnxFile& f) {
                  f.Floats("w", {4, 3, 3, 2});
                  c.set(f.Node("Conv", {"x", "w"}, "z"));
                },
                absl::StrCat("Conv 3x2", c.expected)}});
  }
}

TEST(ReadOnnx, Pools) {
  const auto with = [](const std::function<void(NodeProto&)>& set) {
    return [set](OnnxFile&, NodeProto& n) { set(SetInts(n, "kernel_shape", {3, 3})); };
  };
  const auto none = with([](NodeProto&) {});
  const auto padded = with([](NodeProto& n) { SetInts(SetInts(n, "pads", {1, 1, 1, 1}), "strides", {2, 2}); });
  const auto ceil = with([](NodeProto& n) { SetInt(SetInts(n, "strides", {2, 2}), "ceil_mode", 1); });
  const auto dilated = with([](NodeProto& n) { SetInts(n, "dilations", {2, 1}); });
  const auto counted = with([](NodeProto& n) { SetInt(SetInts(n, "pads", {1, 1, 1, 1}), "count_include_pad", 1); });
  CheckRead({
      One("MaxPool", none, "MaxPool 3x3{3x6x6}"),
      One("MaxPool", padded, "MaxPool 3x3/2 pad 1{3x4x4}"),
      One("MaxPool", ceil, "MaxPool 3x3/2 ceil{3x4x4}", {10}),
      One("MaxPool", dilated, "MaxPool 3x3 dilation 2,1{3x4x6}", {10}),
      One("AveragePool", none, "AveragePool 3x3{3x6x6}"),
      One("AveragePool", padded, "AveragePool 3x3/2 pad 1{3x4x4}"),
      One("AveragePool", counted, "AveragePool 3x3 pad 1 counting pads{3x8x8}"),
      One("AveragePool", ceil, "AveragePool 3x3/2 ceil{3x4x4}", {10}),
      One("AveragePool", dilated, "AveragePool 3x3 dilation 2,1{3x4x6}", {19}),
      One(
          "GlobalMaxPool", [](OnnxFile&, NodeProto&) {}, "ReduceMax axes 1,2{3x1x1}"),
      One(
          "GlobalAveragePool", [](OnnxFile&, NodeProto&) {}, "ReduceMean axes 1,2{3x1x1}"),
  });
}

// Axes became an input at opset 18, those of ReduceSum at 13.
TEST(ReadOnnx, Reductions) {
  for (const auto& [op, since] : {std::pair("ReduceMean", 18), std::pair("ReduceMax", 18), std::pair("ReduceL2", 18),
                                  std::pair("ReduceSum", 13)}) {
    const auto reduce = [op, since](const std::vector<int64_t>& axes, int keep, const char* expected) {
      const auto set = [=](bool input) {
        return [=](OnnxFile& f, NodeProto& n) {
          if (keep >= 0) SetInt(n, "keepdims", keep);
          if (input) {
            f.Ints("axes", axes), n.add_input("axes");
          } else {
            SetInts(n, "axes", axes);
          }
        };
      };
      const std::string all = absl::StrCat(op, expected);
      CheckRead({One(op, set(false), all, {kOldestOpset, since - 1}), One(op, set(true), all, {since})});
    };
    reduce({2, 3}, -1, " axes 1,2{3x1x1}");
    reduce({-1, -2}, 1, " axes 1,2{3x1x1}");
    reduce({3, 2}, 0, " axes 1,2{3x1x1}, Reshape{3}");
    reduce({1}, 0, " axes 0{1x8x8}, Reshape{8x8}");
    reduce({1, 2}, 1, " axes 0,1{1x1x8}");
    reduce({1, 3}, 0, " axes 0,2{1x8x1}, Reshape{8}");
    reduce({1, 2, 3}, 1, " axes 0,1,2{1x1x1}");
  }
  CheckRead({One("ReduceSum", [](OnnxFile&, NodeProto& n) { SetInt(n, "noop_with_empty_axes", 1); }, "", {13})});
}

TEST(ReadOnnx, Normalisations) {
  OnnxFile f;
  f.Floats("scale", {3}, 2), f.Floats("shift", {3});
  SetFloat(f.Node("InstanceNormalization", {"x", "scale", "shift"}, "y"), "epsilon", 0.25f);
  f.Describe(*f.graph().mutable_input(0), "x", {0, 3, 1, 1});
  auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto& instance = std::get<graph::GroupNorm>(graph->nodes[0].op);
  EXPECT_EQ(instance.groups, 3);
  EXPECT_EQ(instance.epsilon, 0.25f);
  EXPECT_EQ(instance.scale->data, std::vector<float>(3, 2));
}

// Scale and shift are one value a group before opset 21, one a channel since.
TEST(ReadOnnx, GroupNormalization) {
  for (const int opset : {18, 20, 21, 22}) {
    OnnxFile f(opset);
    const std::vector<float> per_group = {2, 3}, per_channel = {2, 2, 3, 3};
    const std::vector<float>& values = opset < 21 ? per_group : per_channel;
    f.Floats("scale", {static_cast<int64_t>(values.size())}).set_raw_data(values.data(), values.size() * sizeof(float));
    f.Floats("w", {4, 3, 1, 1});
    f.Node("Conv", {"x", "w"}, "c");
    SetInt(f.Node("GroupNormalization", {"c", "scale", "scale"}, "z"), "num_groups", 2);
    f.Node("Flatten", {"z"}, "y");
    const auto graph = ReadBytes(f.Bytes());
    ASSERT_TRUE(graph.ok()) << "opset " << opset << ": " << graph.status();
    const auto& norm = std::get<graph::GroupNorm>(graph->nodes[1].op);
    EXPECT_EQ(norm.groups, 2) << opset;
    EXPECT_EQ(norm.epsilon, 1e-5f) << opset;
    EXPECT_EQ(norm.scale->data, per_channel) << opset;
    EXPECT_EQ(norm.shift->data, per_channel) << opset;
  }
}

// Before opset 13 all axes from the given one on are taken together.
TEST(ReadOnnx, SoftmaxInTheMiddle) {
  const auto axis = [](int64_t a) { return [a](OnnxFile&, NodeProto& n) { SetInt(n, "axis", a); }; };
  const auto none = [](OnnxFile&, NodeProto&) {};
  CheckRead({
      One("Softmax", none, "Softmax axis 2{3x8x8}", {13}),
      One("Softmax", axis(1), "Softmax axis 0{3x8x8}", {13}),
      One("Softmax", axis(-2), "Softmax axis 1{3x8x8}", {13}),
      One("Softmax", none, "Reshape{192}, Softmax axis 0{192}, Reshape{3x8x8}", {7, 12}),
      One("Softmax", axis(2), "Reshape{3x64}, Softmax axis 1{3x64}, Reshape{3x8x8}", {7, 12}),
      One("Softmax", axis(3), "Softmax axis 2{3x8x8}", {7, 12}),
      One("Softmax", axis(-1), "Softmax axis 2{3x8x8}", {11, 12}),
  });
}

}  // namespace
}  // namespace resnetd::onnx
