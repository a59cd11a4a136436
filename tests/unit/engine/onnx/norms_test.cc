// Normalisations of an axis, and outputs of nodes that nothing reads.
#include <cfloat>
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/onnx_reading.h"
#include "tests/support/onnx_refusal.h"

namespace resnetd::onnx {
namespace {

using Set = std::function<void(OnnxFile&, NodeProto&)>;

Set Learnt(
    std::vector<std::vector<int64_t>> all, const std::function<void(NodeProto&)>& set = [](NodeProto&) {}) {
  return [=](OnnxFile& f, NodeProto& n) {
    for (size_t i = 0; i < all.size(); ++i) {
      const std::string name(1, static_cast<char>('a' + i));
      f.Floats(name, all[i]), n.add_input(name);
    }
    set(n);
  };
}

std::function<void(NodeProto&)> Axis(int64_t axis) {
  return [axis](NodeProto& n) { SetInt(n, "axis", axis); };
}

TEST(ReadOnnx, LayerNormalization) {
  CheckRead({
      One("LayerNormalization", Learnt({{8}, {8}}), "LayerNorm axis 2{3x8x8}", {17}),
      One("LayerNormalization", Learnt({{8}}), "LayerNorm axis 2{3x8x8}", {17}),
      One("LayerNormalization", Learnt({{1}, {8}}), "LayerNorm axis 2{3x8x8}", {17}),
      One("LayerNormalization", Learnt({{3, 1, 1}, {8}}, Axis(1)),
          "Reshape{192}, LayerNorm axis 0{192}, Reshape{3x8x8}", {17}),
      One("LayerNormalization", Learnt({{8, 8}, {8, 8}}, Axis(2)),
          "Reshape{3x64}, LayerNorm axis 1{3x64}, Reshape{3x8x8}", {17}),
      One("LayerNormalization", Learnt({{3, 8, 8}}, Axis(-3)), "Reshape{192}, LayerNorm axis 0{192}, Reshape{3x8x8}",
          {17}),
      One("LayerNormalization",
          Learnt({{8}, {8}}, [](NodeProto& n) { n.add_output("mean"), n.add_output("deviation"); }),
          "LayerNorm axis 2{3x8x8}", {17}),
  });
  OnnxFile f(17);
  f.Floats("s", {8}, 2);
  SetFloat(f.Node("LayerNormalization", {"x", "s"}, "z"), "epsilon", 0.25f);
  f.Node("Flatten", {"z"}, "y");
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto& norm = std::get<graph::LayerNorm>(graph->nodes[0].op);
  EXPECT_EQ(norm.epsilon, 0.25f);
  EXPECT_EQ(norm.scale->data, std::vector<float>(8, 2));
  EXPECT_EQ(norm.shift->data, std::vector<float>(8, 0));
}

TEST(ReadOnnx, LengthsAndNeighbours) {
  const auto set = [](const std::function<void(NodeProto&)>& f) { return [f](OnnxFile&, NodeProto& n) { f(n); }; };
  CheckRead({
      One("LpNormalization", set([](NodeProto&) {}), "L2Norm axis 2{3x8x8}"),
      One("LpNormalization", set([](NodeProto& n) { SetInt(SetInt(n, "axis", 1), "p", 2); }), "L2Norm axis 0{3x8x8}"),
      One("LRN", set([](NodeProto& n) { SetInt(n, "size", 5); }), "LocalResponseNorm of 5{3x8x8}"),
      One("LRN", set([](NodeProto& n) { SetInt(n, "size", 4); }), "LocalResponseNorm of 4{3x8x8}"),
      One("Selu", set([](NodeProto&) {}), "Elu 1.67326{3x8x8}, Linear 1.0507x+0{3x8x8}"),
      One("Celu", set([](NodeProto&) {}), "Elu 1{3x8x8}", {12}),
      One("Celu", set([](NodeProto& n) { SetFloat(n, "alpha", 0.5f); }),
          "Linear 2x+0{3x8x8}, Elu 1{3x8x8}, Linear 0.5x+0{3x8x8}", {12}),
      One("ReduceSumSquare", set([](NodeProto& n) {
            SetInts(n, "axes", {2, 3});
          }),
          "Mul{3x8x8}, ReduceSum axes 1,2{3x1x1}", {kOldestOpset, 17}),
      One("LogSoftmax", set([](NodeProto&) {}), "Softmax axis 2 log{3x8x8}", {13}),
      One("LogSoftmax", set([](NodeProto&) {}), "Reshape{192}, Softmax axis 0 log{192}, Reshape{3x8x8}", {7, 12}),
      {"the logarithm of a softmax",
       [](OnnxFile& f) { f.Node("Softmax", {"x"}, "s"), f.Node("Log", {"s"}, "z"); },
       "Softmax axis 2{3x8x8}, Softmax axis 2 log{3x8x8}",
       {13}},
  });
  OnnxFile f;
  f.Node("LpNormalization", {"x"}, "z"), f.Node("Flatten", {"z"}, "y");
  const auto graph = ReadBytes(f.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(std::get<graph::L2Norm>(graph->nodes[0].op).floor, FLT_MIN);  // a vector of zeros stays one
}

TEST(ReadOnnx, OutputsThatNothingReads) {
  const auto with = [](const char* op, const Set& set) {
    return One(
        op, [set](OnnxFile& f, NodeProto& n) { set(f, n), n.add_output("second"); }, "");
  };
  const Set window = [](OnnxFile&, NodeProto& n) { SetInts(n, "kernel_shape", {8, 8}); };
  ReadCase pool = with("MaxPool", window), dropout = with("Dropout", [](OnnxFile&, NodeProto&) {});
  pool.expected = "MaxPool 8x8{3x1x1}";
  CheckRead({pool, dropout});
}

TEST(ReadOnnx, RefusesWrongNormalisations) {
  const auto bad = [](const char* what, const char* op, const Set& set, const char* message) {
    return Case{what,
                [=](OnnxFile& f) {
                  set(f, f.Node(op, {"x"}, "z"));
                  f.Node("Flatten", {"z"}, "y");
                },
                message};
  };
  const auto set = [](const std::function<void(NodeProto&)>& f) { return [f](OnnxFile&, NodeProto& n) { f(n); }; };
  Check({
      bad("statistics of a batch", "BatchNormalization",
          Learnt({{3}, {3}, {3}, {3}},
                 [](NodeProto& n) {
                   for (const char* o : {"m", "v", "sm", "sv"}) n.add_output(o);
                 }),
          "outputs: expected one, got 5, which is training mode (export in eval mode)"),
      bad("scale", "LayerNormalization", Learnt({{3}}), "scale: expected what can be repeated to 8, got 3"),
      bad("bias", "LayerNormalization", Learnt({{8}, {3}}), "bias: expected what can be repeated to 8, got 3"),
      bad("over the batch", "LayerNormalization", Learnt({{8}}, Axis(0)), "axis: expected 1..3, not the batch, got 0"),
      bad("no scale", "LayerNormalization", Learnt({}), "expected at least 2 inputs, got 1"),
      bad("sums of magnitudes", "LpNormalization", set([](NodeProto& n) { SetInt(n, "p", 1); }),
          "attribute 'p': expected 2, the length, got 1 (divide by the sum of absolute values outside of the network)"),
      bad("of the batch", "LpNormalization", set(Axis(0)), "axis: expected 1..3, not the batch, got 0"),
      bad("no size", "LRN", set([](NodeProto&) {}), "attribute 'size': expected a number, got none"),
      bad("no neighbours", "LRN", set([](NodeProto& n) { SetInt(n, "size", 0); }), "size: expected 1..16777216, got 0"),
      bad("no slope", "Celu", set([](NodeProto& n) { SetFloat(n, "alpha", 0); }),
          "attribute 'alpha': expected a number above 0, got 0"),
  });
}

}  // namespace
}  // namespace resnetd::onnx
