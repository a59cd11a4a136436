// Tests what is left of the transposes that TensorFlow's exporters put around convolutions. The image of 3x6x5 is 3
// rows of 6 pixels with 5 channels here.
#include "engine/passes/passes.h"
#include "gtest/gtest.h"
#include "tests/support/pass_checker.h"

namespace resnetd::passes {
namespace {

using graph::ValueId;
using reference::GraphBuilder;

ValueId ToPlanes(GraphBuilder& b, ValueId src) {
  return b.Add(graph::Transpose{{2, 0, 1}}, {src});
}
ValueId ToPixels(GraphBuilder& b, ValueId src) {
  return b.Add(graph::Transpose{{1, 2, 0}}, {src});
}
// The layer works on pixels, as TensorFlow's do.
ValueId Layer(GraphBuilder& b, ValueId src, int64_t channels) {
  return ToPixels(b, Conv(b, ToPlanes(b, src), channels));
}

template <typename Op>
std::function<graph::Graph(GraphBuilder&)> Between(Op op) {
  return [op](GraphBuilder& b) { return b.FinishFlat(Layer(b, b.Add(op, {Layer(b, b.image(), 4)}), 2)); };
}

TEST(RemoveTransposes, WhatWorksOnPlanesToo) {
  GraphBuilder weights({1, 1, 1}, 9);
  const auto constant = [&](graph::Dims dims) {
    return Between(graph::Binary{graph::BinaryKind::kMul, weights.Random(dims, 0.5f, 2)});
  };
  const auto three = [](const char* op) {
    return std::string("Transpose, Conv, ") + op + ", Conv, Transpose, Reshape";
  };
  const std::string relu = three("Relu"), mul = three("Mul"), pad = three("Pad"), slice = three("Slice"),
                    mean = three("ReduceMean"), softmax = three("Softmax");
  CheckPass(
      {
          {"nothing between", [](GraphBuilder& b) { return b.FinishFlat(Layer(b, Layer(b, b.image(), 4), 2)); },
           "Transpose, Conv, Conv, Transpose, Reshape"},
          {"relu", Between(graph::Relu()), relu.c_str()},
          {"a constant a channel", constant({1, 1, 4}), mul.c_str()},
          {"a constant a pixel", constant({3, 6, 1}), mul.c_str()},
          {"a constant an element", constant({3, 6, 4}), mul.c_str()},
          {"padding", Between(graph::Pad{{1, 2, 0}, {0, 1, 3}, 0.5f}), pad.c_str()},
          {"mirrored", Between(graph::Pad{{1, 2, 0}, {0, 1, 3}, 0, graph::PadMode::kReflect}), pad.c_str()},
          {"every second pixel", Between(graph::Slice{{0, 1, 0}, {3, 6, 4}, {2, 2, 1}}), slice.c_str()},
          {"mean of the pixels, whose order is the same in both",
           Between(graph::Reduce{graph::ReduceKind::kMean, {0, 1}}), "Transpose, Conv, ReduceMean, Conv, Reshape"},
          {"mean of the channels", Between(graph::Reduce{graph::ReduceKind::kMean, {2}}), mean.c_str()},
          {"softmax of the channels", Between(graph::Softmax{2}), softmax.c_str()},
          {"layer norm of the channels",
           Between(graph::LayerNorm{weights.Random({4}, 0.5f, 2), weights.Random({4}, -1, 1), 2}),
           "Transpose, Conv, LayerNorm, Conv, Transpose, Reshape"},
          {"length of the rows", Between(graph::L2Norm{1}), "Transpose, Conv, L2Norm, Conv, Transpose, Reshape"},
          {"an inner product of the channels, which is a convolution", Between(weights.Gemm(4, 4)),
           "Transpose, Conv, Conv, Conv, Transpose, Reshape"},
          {"a residual",
           [](GraphBuilder& b) {
             const ValueId x = Layer(b, b.image(), 4);
             return b.FinishFlat(Layer(b, Relu(b, Add(b, Layer(b, x, 4), x)), 2));
           },
           "Transpose, Conv, Conv, Add, Relu, Conv, Transpose, Reshape"},
          {"concat of channels",
           [](GraphBuilder& b) {
             const ValueId x = Layer(b, b.image(), 4);
             return b.FinishFlat(Layer(b, b.Add(graph::Concat{2}, {x, Layer(b, x, 3)}), 2));
           },
           "Transpose, Conv, Conv, Concat, Conv, Transpose, Reshape"},
          {"a gate a channel",
           [](GraphBuilder& b) {
             const ValueId x = Layer(b, b.image(), 4);
             const ValueId pooled = b.Add(graph::Reduce{graph::ReduceKind::kMean, {0, 1}}, {x});
             const ValueId gate = b.Add(graph::Activation{graph::ActivationKind::kSigmoid},
                                        {ToPixels(b, ConvWithoutBias(b, ToPlanes(b, pooled), 4))});
             return b.FinishFlat(Layer(b, Mul(b, x, gate), 2));
           },
           "Transpose, Conv, ReduceMean, Conv, Sigmoid, Mul, Conv, Transpose, Reshape"},
          {"a pool and a classifier",
           [](GraphBuilder& b) {
             const ValueId x = Relu(b, Layer(b, b.image(), 4));
             const ValueId pooled = Flatten(b, b.Add(graph::Reduce{graph::ReduceKind::kMean, {0, 1}}, {x}));
             return b.Finish(b.Add(b.Gemm(7, 4), {pooled}), pooled);
           },
           "Transpose, Conv, Relu, ReduceMean, Reshape, Gemm"},
          {"three times round",
           [](GraphBuilder& b) { return b.FinishFlat(ToPixels(b, ToPixels(b, ToPixels(b, b.image())))); }, "Reshape"},
          {"forth and back is the output",
           [](GraphBuilder& b) {
             const ValueId x = ToPlanes(b, ToPixels(b, Relu(b, b.image())));
             graph::Graph g = b.FinishFlat(x);
             g.outputs.push_back({"x", x});
             return g;
           },
           "Relu, Reshape"},
      },
      RemoveTransposes);
}

TEST(RemoveTransposes, WhatDoesNot) {
  CheckPass(
      {
          {"no transpose", [](GraphBuilder& b) { return b.FinishFlat(Norm(b, Conv(b, b.image(), 4))); },
           "Conv, BatchNorm, Reshape"},
          {"a norm of rows", [](GraphBuilder& b) { return b.FinishFlat(ToPlanes(b, Norm(b, Layer(b, b.image(), 4)))); },
           "Transpose, Conv, Transpose, BatchNorm, Transpose, Reshape"},
          {"flattened pixels",
           [](GraphBuilder& b) {
             const ValueId flat = Flatten(b, Layer(b, b.image(), 4));
             return b.Finish(b.Add(b.Gemm(7, 72), {flat}), flat);
           },
           "Transpose, Conv, Transpose, Reshape, Gemm"},
          {"an inner product of each row",
           [](GraphBuilder& b) {
             const ValueId turned = b.Add(graph::Transpose{{0, 2, 1}}, {Conv(b, b.image(), 4)});
             return b.FinishFlat(b.Add(b.Gemm(7, 6), {turned}));
           },
           "Conv, Transpose, Gemm, Reshape"},
          {"pixels and planes", [](GraphBuilder& b) { return b.FinishFlat(Add(b, Layer(b, b.image(), 5), b.image())); },
           "Transpose, Conv, Transpose, Add, Reshape"},
          {"two that are turned in two ways",
           [](GraphBuilder& b) {
             const ValueId square = b.Add(graph::Slice{{0, 0, 0}, {3, 3, 3}, {1, 1, 1}}, {b.image()});
             return b.FinishFlat(Add(b, ToPlanes(b, square), ToPixels(b, square)));
           },
           "Slice, Transpose, Transpose, Add, Reshape"},
          {"a transposed map is an output",
           [](GraphBuilder& b) {
             const ValueId pixels = Layer(b, b.image(), 4);
             graph::Graph g = b.FinishFlat(Layer(b, pixels, 2));
             g.outputs.push_back({"pixels", pixels});
             return g;
           },
           "Transpose, Conv, Transpose, Conv, Transpose, Reshape"},
      },
      RemoveTransposes);
}

}  // namespace
}  // namespace resnetd::passes
