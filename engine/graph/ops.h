#ifndef RESNETD_ENGINE_GRAPH_OPS_H_
#define RESNETD_ENGINE_GRAPH_OPS_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"

namespace resnetd::graph {

// Sizes of one image's share of a tensor, the batch axis left out: {C, H, W} for a feature map, {C} for a vector.
// The batch is symbolic everywhere in a Graph; a Plan fixes it. An axis of an operator counts these sizes: 0 is C.
using Dims = absl::InlinedVector<int64_t, 4>;

struct Weights;
using WeightsRef = std::shared_ptr<const Weights>;

struct Size2 {
  int64_t h = 1, w = 1;
  friend bool operator==(const Size2&, const Size2&) = default;
};

struct Pads2 {
  int64_t top = 0, left = 0, bottom = 0, right = 0;
  friend bool operator==(const Pads2&, const Pads2&) = default;
};

enum class ActivationKind : uint8_t {
  kRelu,         // max(x, 0)
  kLeakyRelu,    // x < 0 ? alpha * x : x
  kElu,          // x < 0 ? alpha * (exp(x) - 1) : x
  kClip,         // min(max(x, alpha), beta)
  kLinear,       // alpha * x + beta
  kPow,          // x ^ alpha
  kSqrt,         // sqrt(x)
  kExp,          // exp(x)
  kErf,          // erf(x)
  kTanh,         // tanh(x)
  kSigmoid,      // 1 / (1 + exp(-x))
  kHardSigmoid,  // min(max(alpha * x + beta, 0), 1)
  kHardSwish,    // x * min(max(alpha * x + beta, 0), 1)
  kSwish,        // x / (1 + exp(-alpha * x))
  kGelu,         // x / 2 * (1 + erf(x / sqrt(2)))
  kGeluTanh,     // x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
  kAbs,          // |x|
  kLog,          // log(x)
  kSoftplus,     // log(1 + exp(x))
  kMish,         // x * tanh(log(1 + exp(x)))
};

// A function of each element.
struct Activation {
  ActivationKind kind = ActivationKind::kRelu;
  float alpha = 0, beta = 0;
};

enum class BinaryKind : uint8_t { kAdd, kSub, kMul, kDiv, kMax, kMin };

// Whether a op b = b op a.
constexpr bool Commutes(BinaryKind kind) {
  return kind != BinaryKind::kSub && kind != BinaryKind::kDiv;
}

// a + b, a - b, a * b, a / b, max(a, b) or min(a, b) of each pair of elements, axes of size 1 repeated as often as the
// other operand needs. `a` is the first input, `b` the second, or `constant` where that is set, of as many axes;
// `reversed` swaps them.
struct Binary {
  BinaryKind kind = BinaryKind::kAdd;
  WeightsRef constant;
  bool reversed = false;
};

// A change that a node makes to its result before it stores it, in order. `a` of a Binary is the result so far, and
// keeps its dims; the values that serve as `b` are further inputs of the node, in order. Not reversed.
using PostOp = std::variant<Activation, Binary>;
using PostOps = std::vector<PostOp>;

// dst[oc] = sum over (ic, kh, kw) of src * weights + bias[oc].
struct Conv {
  WeightsRef weights;  // {OC, IC/groups, KH, KW}
  WeightsRef bias;     // {OC} or null
  Size2 strides, dilations;
  Pads2 pads;
  int64_t groups = 1;
};

// dst[..., oc] = sum over ic of src[..., ic] * weights[oc, ic] + bias[oc], along the last axis.
struct Gemm {
  WeightsRef weights;  // {OC, IC}: importers transpose what comes the other way round
  WeightsRef bias;     // {OC} or null
};

// y = scale * (x - mean) / sqrt(variance + epsilon) + shift, per channel (axis 0).
struct BatchNorm {
  WeightsRef scale, shift, mean, variance;  // each {C}
  float epsilon = 1e-5f;
};

// The same with mean and variance of each image's groups of C/groups channels, all their pixels together (Wu and He,
// "Group Normalization", 2018). As many groups as channels: instance normalisation.
struct GroupNorm {
  WeightsRef scale, shift;  // each {C}
  int64_t groups = 1;
  float epsilon = 1e-5f;
};

// y = scale * (x - mean) / sqrt(variance + epsilon) + shift, with mean and variance along one axis (Ba, Kiros and
// Hinton, "Layer Normalization", 2016).
struct LayerNorm {
  WeightsRef scale, shift;  // each as long as the axis
  int64_t axis = 0;
  float epsilon = 1e-5f;
};

// y = x / (max(sqrt(sum of x^2 + inside), floor) + beside), the sum along one axis: vectors of length 1.
struct L2Norm {
  int64_t axis = 0;
  float inside = 0, floor = 0, beside = 0;
};

// y = x * (1 + scale * n) + shift per channel of a map, with l the root of the sum of x^2 over the pixels, and n = l /
// (mean of l over the channels + epsilon) (Woo et al., "ConvNeXt V2", 2023).
struct ResponseNorm {
  WeightsRef scale, shift;  // each {C}
  float epsilon = 1e-6f;
};

// y = x / (bias + alpha / size * sum of x^2)^beta, the sum over `size` neighbouring channels (axis 0), of which (size -
// 1) / 2 lie before (Krizhevsky et al., "ImageNet Classification", 2012).
struct LocalResponseNorm {
  int64_t size = 1;
  float alpha = 1e-4f, beta = 0.75f, bias = 1;
};

// x < 0 ? slope * x : x, per channel (axis 0).
struct PRelu {
  WeightsRef slope;  // {C}
};

struct MaxPool {
  Size2 kernel, strides, dilations;
  Pads2 pads;
  bool ceil_mode = false;
};

struct AveragePool {
  Size2 kernel, strides;
  Pads2 pads;
  bool ceil_mode = false;
  bool count_include_pad = false;
  Size2 dilations = {};
};

enum class ReduceKind : uint8_t { kMean, kMax, kSum, kL2 };  // L2: the root of the sum of squares

// Over `axes`, ascending, which stay with size 1.
struct Reduce {
  ReduceKind kind = ReduceKind::kMean;
  absl::InlinedVector<int64_t, 3> axes;
};

// exp(x) / sum of exp along an axis, or its logarithm.
struct Softmax {
  int64_t axis = 0;
  bool log = false;
};

// The same elements in the same row-major order. One size may be -1: whatever is left.
struct Reshape {
  Dims dims;
};

// Axis i of dst is axis perm[i] of src.
struct Transpose {
  absl::InlinedVector<int64_t, 4> perm;
};

// All inputs one after the other along an axis.
struct Concat {
  int64_t axis = 0;
};

// Every `step`-th element of [start, end) along each axis. Steps are positive, bounds are within the dims.
struct Slice {
  absl::InlinedVector<int64_t, 3> start, end, step;
};

// kReflect mirrors at the border element, kEdge repeats it.
enum class PadMode : uint8_t { kConstant, kReflect, kEdge };

struct Pad {
  absl::InlinedVector<int64_t, 3> before, after;  // by axis
  float value = 0;                                // of kConstant
  PadMode mode = PadMode::kConstant;
};

using Op =
    std::variant<Conv, Gemm, BatchNorm, GroupNorm, LayerNorm, L2Norm, ResponseNorm, LocalResponseNorm, Activation,
                 Binary, PRelu, MaxPool, AveragePool, Reduce, Softmax, Reshape, Transpose, Concat, Slice, Pad>;

// Graphs are full of these.
inline Activation Relu() {
  return {};
}
inline Binary Add() {
  return {};
}
inline Reduce GlobalAveragePool() {  // {C, H, W} -> {C, 1, 1}
  return {ReduceKind::kMean, {1, 2}};
}
inline Reshape Flatten() {  // any -> {product}
  return {{-1}};
}

// "Conv", "Relu", "Mul", "ReduceMean", ...: the alternative's name or, of those with kinds, the kind's.
absl::string_view OpName(const Op& op);

}  // namespace resnetd::graph

#endif  // RESNETD_ENGINE_GRAPH_OPS_H_
