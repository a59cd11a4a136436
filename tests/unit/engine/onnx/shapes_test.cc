// Operators that give activations other axes or move their elements, and the batch among the axes.
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/onnx_reading.h"

namespace resnetd::onnx {
namespace {

constexpr int64_t kFar = std::numeric_limits<int64_t>::max();

ReadCase To(const std::vector<int64_t>& shape, const char* expected, Opsets opsets = {}) {
  return One(
      "Reshape", [shape](OnnxFile& f, NodeProto& n) { f.Ints("to", shape), n.add_input("to"); }, expected, opsets);
}

TEST(ReadOnnx, Reshapes) {
  CheckRead({
      To({0, 3, 64}, "Reshape{3x64}"),
      To({-1, 192}, "Reshape{192}"),
      To({0, -1}, "Reshape{192}"),
      To({0, 0, -1}, "Reshape{3x64}"),
      To({-1, 24, 2, 4}, "Reshape{24x2x4}"),
      To({0, 3, 2, 4, 2, 4}, "Reshape{3x2x4x2x4}"),
      To({0, 3, 8, 8}, ""),
      To({-1, 3, 8, 8}, ""),
  });
  // The batch by the number that is fixed in the file.
  OnnxFile f(17, 6);
  f.Ints("to", {6, 96, 2});
  f.Node("Reshape", {"x", "to"}, "z"), f.Node("Flatten", {"z"}, "y");
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(Summary(*graph, 0, 1), "Reshape{96x2}");
}

// Axes are an attribute up to opset 12, an input from 13.
std::function<void(OnnxFile&, NodeProto&)> Axes(const std::vector<int64_t>& axes, bool input) {
  return [=](OnnxFile& f, NodeProto& n) {
    if (input) {
      f.Ints("axes", axes), n.add_input("axes");
    } else {
      SetInts(n, "axes", axes);
    }
  };
}

TEST(ReadOnnx, SqueezesAndUnsqueezes) {
  const auto squeeze = [](const std::vector<int64_t>& axes, bool input) {
    return [=](OnnxFile& f) {
      f.Node("GlobalMaxPool", {"x"}, "g");
      Axes(axes, input)(f, f.Node("Squeeze", {"g"}, "z"));
    };
  };
  std::vector<ReadCase> cases;
  for (const bool input : {false, true}) {
    const Opsets opsets = input ? Opsets{13} : Opsets{7, 12};
    for (const std::vector<int64_t>& axes : std::vector<std::vector<int64_t>>{{2, 3}, {3, 2}, {-1, -2}}) {
      cases.push_back({"both", squeeze(axes, input), "ReduceMax axes 1,2{3x1x1}, Reshape{3}", opsets});
    }
    cases.push_back({"one", squeeze({2}, input), "ReduceMax axes 1,2{3x1x1}, Reshape{3x1}", opsets});
    cases.push_back(One("Unsqueeze", Axes({2}, input), "Reshape{3x1x8x8}", opsets));
    cases.push_back(One("Unsqueeze", Axes({5, 1}, input), "Reshape{1x3x8x8x1}", opsets));
    cases.push_back(One("Unsqueeze", Axes({-1}, input), "Reshape{3x8x8x1}", opsets));
  }
  CheckRead(cases);
}

TEST(ReadOnnx, Transposes) {
  const auto perm = [](const std::vector<int64_t>& axes) {
    return [axes](OnnxFile&, NodeProto& n) { SetInts(n, "perm", axes); };
  };
  CheckRead({
      One("Transpose", perm({0, 2, 3, 1}), "Transpose to 1,2,0{8x8x3}"),
      One("Transpose", perm({0, 3, 1, 2}), "Transpose to 2,0,1{8x3x8}"),
      One("Transpose", perm({0, 1, 2, 3}), ""),
  });
}

TEST(ReadOnnx, Concats) {
  const auto along = [](int64_t axis) {
    return [axis](OnnxFile& f) {
      f.Node("Exp", {"x"}, "e");
      SetInt(f.Node("Concat", {"x", "e", "x"}, "z"), "axis", axis);
    };
  };
  CheckRead({
      {"channels", along(1), "Exp{3x8x8}, Concat axis 0{9x8x8}"},
      {"rows", along(2), "Exp{3x8x8}, Concat axis 1{3x24x8}"},
      {"from behind", along(-1), "Exp{3x8x8}, Concat axis 2{3x8x24}"},
      One(
          "Concat", [](OnnxFile&, NodeProto& n) { SetInt(n, "axis", 1); }, ""),
  });
}

TEST(ReadOnnx, Splits) {
  const auto split = [](int64_t axis, int outputs, const std::vector<int64_t>& sizes, bool input) {
    return [=](OnnxFile& f) {
      NodeProto& node = SetInt(f.Node("Split", {"x"}, "z"), "axis", axis);
      for (int i = 1; i < outputs; ++i) node.add_output(absl::StrCat("z", i));
      if (sizes.empty()) return;
      if (!input) {
        SetInts(node, "split", sizes);
      } else {
        f.Ints("sizes", sizes), node.add_input("sizes");
      }
    };
  };
  const auto numbered = [&](int64_t axis, int outputs) {
    return [=](OnnxFile& f) {
      split(axis, outputs, {}, false)(f);
      SetInt(*f.graph().mutable_node(0), "num_outputs", outputs);
    };
  };
  const char* const thirds = "Slice [0:1, 0:8, 0:8]{1x8x8}, Slice [1:2, 0:8, 0:8]{1x8x8}, Slice [2:3, 0:8, 0:8]{1x8x8}";
  const char* const two = "Slice [0:3, 0:8, 0:2]{3x8x2}, Slice [0:3, 0:8, 2:8]{3x8x6}";
  CheckRead({
      {"equal", split(1, 3, {}, false), thirds},
      {"equal, from behind", split(-3, 3, {}, false), thirds},
      {"sizes of old", split(3, 2, {2, 6}, false), two, {7, 12}},
      {"sizes", split(-1, 2, {2, 6}, true), two, {13}},
      {"a number", numbered(1, 3), thirds, {18}},
      {"the last is smaller",
       numbered(2, 3),
       "Slice [0:3, 0:3, 0:8]{3x3x8}, Slice [0:3, 3:6, 0:8]{3x3x8}, Slice [0:3, 6:8, 0:8]{3x2x8}",
       {18}},
      {"one output is not wanted",
       [&](OnnxFile& f) {
         split(1, 3, {}, false)(f);
         f.graph().mutable_node(0)->set_output(1, "");
       },
       "Slice [0:1, 0:8, 0:8]{1x8x8}, Slice [2:3, 0:8, 0:8]{1x8x8}"},
  });
}

TEST(ReadOnnx, Slices) {
  const auto slice = [](const std::vector<std::vector<int64_t>>& inputs, const char* expected) {
    return One("Slice",
               [=](OnnxFile& f, NodeProto& n) {
                 for (size_t i = 0; i < inputs.size(); ++i) {
                   f.Ints(absl::StrCat("i", i), inputs[i]), n.add_input(absl::StrCat("i", i));
                 }
               },
               expected, {10});
  };
  CheckRead({
      slice({{0, 0, 1}, {kFar, 2, 5}}, "Slice [0:2, 1:5, 0:8]{2x4x8}"),
      slice({{-3}, {-1}, {-1}}, "Slice [0:3, 0:8, 5:7]{3x8x2}"),
      slice({{-100}, {100}, {2}, {3}}, "Slice [0:3, 0:8:3, 0:8]{3x3x8}"),
      slice({{1, 1}, {kFar, kFar}, {3, 2}, {2, 1}}, "Slice [0:3, 1:8, 1:8:2]{3x7x4}"),
      slice({{0, 0}, {kFar, 8}, {0, 2}}, ""),  // x[:, :, :8]
      slice({{0}, {std::numeric_limits<int32_t>::max()}, {-4}}, ""),
      One("Slice",
          [](OnnxFile&, NodeProto& n) { SetInts(SetInts(SetInts(n, "starts", {1}), "ends", {-1}), "axes", {3}); },
          "Slice [0:3, 0:8, 1:7]{3x8x6}", {7, 9}),
      One("Slice",
          [](OnnxFile&, NodeProto& n) {
            SetInts(SetInts(n, "starts", {0, 1}), "ends", {kFar, 2});
          },
          "Slice [1:2, 0:8, 0:8]{1x8x8}", {7, 9}),
  });
}

TEST(ReadOnnx, Pads) {
  const auto pad = [](const std::vector<int64_t>& pads, const char* mode, const char* more,
                      const std::vector<int64_t>& axes, const char* expected, Opsets opsets) {
    return One(
        "Pad",
        [=](OnnxFile& f, NodeProto& n) {
          SetString(n, "mode", mode);
          if (opsets.last < 11) {
            SetInts(n, "pads", pads);
            return;
          }
          f.Ints("pads", pads), f.Floats("value", {}, 2), f.Ints("axes", axes);
          n.add_input("pads"), n.add_input(more);
          if (!axes.empty()) n.add_input("axes");
        },
        expected, opsets);
  };
  const std::vector<int64_t> all = {0, 1, 2, 0, 0, 2, 1, 0}, edges = {0, 0, 2, 3, 0, 0, 1, 0};
  CheckRead({
      pad(all, "constant", "", {}, "Pad 1,2,0 before 2,1,0 after{6x11x8}", {11}),
      pad(all, "constant", "value", {}, "Pad 1,2,0 before 2,1,0 after of 2{6x11x8}", {11}),
      pad(edges, "reflect", "", {}, "Pad 0,2,3 before 0,1,0 after reflect{3x11x11}", {11}),
      pad(edges, "edge", "", {}, "Pad 0,2,3 before 0,1,0 after edge{3x11x11}", {11}),
      pad(all, "constant", "", {}, "Pad 1,2,0 before 2,1,0 after{6x11x8}", {7, 10}),
      pad(edges, "edge", "", {}, "Pad 0,2,3 before 0,1,0 after edge{3x11x11}", {7, 10}),
      pad({1, 2, 3, 0}, "constant", "", {3, -2}, "Pad 0,2,1 before 0,0,3 after{3x10x12}", {18}),
      pad({0, 0, 0, 0, 0, 0, 0, 0}, "constant", "", {}, "", {11}),
      One("Pad", [&](OnnxFile&, NodeProto& n) { SetFloat(SetInts(n, "pads", all), "value", 0.5f); },
          "Pad 1,2,0 before 2,1,0 after of 0.5{6x11x8}", {7, 10}),
  });
}

// TensorFlow's images have the channels last: the graph's own image is CxHxW all the same.
TEST(ReadOnnx, ChannelsLast) {
  struct ImageCase {
    std::vector<int64_t> dims;
    const char* image;
    const char* expected;
  };
  for (const ImageCase& c : std::vector<ImageCase>{{{0, 6, 5, 3}, "3x6x5", "Transpose to 1,2,0{6x5x3}, Exp{6x5x3}"},
                                                   {{0, 5, 9, 4}, "4x5x9", "Transpose to 1,2,0{5x9x4}, Exp{5x9x4}"},
                                                   {{0, 4, 9, 4}, "4x9x4", "Exp{4x9x4}"},
                                                   {{0, 6, 9, 5}, "6x9x5", "Exp{6x9x5}"},
                                                   {{0, 1, 9, 9}, "1x9x9", "Exp{1x9x9}"}}) {
    OnnxFile f;
    OnnxFile::Describe(*f.graph().mutable_input(0), "x", c.dims);
    f.Node("Exp", {"x"}, "z"), f.Node("Flatten", {"z"}, "y");
    const auto graph = ReadBytes(f.Bytes());
    ASSERT_TRUE(graph.ok()) << c.image << ": " << graph.status();
    EXPECT_EQ(graph::ToString(graph->value(graph->input).dims), c.image);
    EXPECT_EQ(Summary(*graph, 0, 1), c.expected);
  }
}

}  // namespace
}  // namespace resnetd::onnx
