#ifndef RESNETD_ENGINE_GRAPH_OPS_H_
#define RESNETD_ENGINE_GRAPH_OPS_H_

#include <cstdint>
#include <memory>
#include <variant>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"

namespace resnetd::graph {

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

// dst[oc] = sum over (ic, kh, kw) of src * weights + bias[oc]; then `+ residual` if it has a second input; then ReLU if
// `relu`. This order is ONNX Conv followed by what the fusion passes attach; importers leave the last two unset.
struct Conv {
  WeightsRef weights;  // {OC, IC/groups, KH, KW}
  WeightsRef bias;     // {OC} or null
  Size2 strides, dilations;
  Pads2 pads;
  int64_t groups = 1;
  bool residual = false;  // inputs: {src} or {src, residual}
  bool relu = false;
};

// y = scale * (x - mean) / sqrt(variance + epsilon) + shift, per channel.
struct BatchNorm {
  WeightsRef scale, shift, mean, variance;  // each {C}
  float epsilon = 1e-5f;
};

struct Relu {};
struct Add {};  // two inputs of equal dims

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
};

struct GlobalAveragePool {};  // {C, H, W} -> {C, 1, 1}
struct Flatten {};            // any -> {product}

// dst = src * weights^T + bias.
struct Gemm {
  WeightsRef weights;  // {OC, IC}: importers transpose what comes the other way round
  WeightsRef bias;     // {OC} or null
};

// Every `step`-th element of [start, end) along each axis of {C, H, W}. Steps are positive, bounds are within the dims.
struct Slice {
  absl::InlinedVector<int64_t, 3> start, end, step;
};

// Constant padding of {C, H, W} by `value`.
struct Pad {
  absl::InlinedVector<int64_t, 3> before, after;
  float value = 0;
};

using Op = std::variant<Conv, BatchNorm, Relu, Add, MaxPool, AveragePool, GlobalAveragePool, Flatten, Gemm, Slice, Pad>;

// "Conv", "BatchNorm", ...: the alternative's name, for messages.
absl::string_view OpName(const Op& op);

}  // namespace resnetd::graph

#endif  // RESNETD_ENGINE_GRAPH_OPS_H_
