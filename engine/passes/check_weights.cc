// A NaN among the weights need not reach an output: max(NaN, 0) is 0 where a ReLU is computed by the processor's own
// maximum, so that the network answers, and wrongly.
#include "engine/passes/check_weights.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd::passes {
namespace {

using graph::WeightsRef;

constexpr uint32_t kExponent = 0x7F80'0000;  // all ones in an infinity or a NaN
constexpr size_t kBlock = 64;                // one pass without a branch, which the compiler vectorises

bool IsFinite(float value) {
  return (std::bit_cast<uint32_t>(value) & kExponent) != kExponent;
}

// Index of the first value that is not finite; the size where all are.
size_t FirstNotFinite(const std::vector<float>& values) {
  size_t begin = 0;
  for (; begin + kBlock <= values.size(); begin += kBlock) {
    uint32_t largest = 0;
    for (size_t i = 0; i < kBlock; ++i) {
      const uint32_t exponent = std::bit_cast<uint32_t>(values[begin + i]) & kExponent;
      largest = largest > exponent ? largest : exponent;
    }
    if (largest == kExponent) break;
  }
  while (begin < values.size() && IsFinite(values[begin])) ++begin;
  return begin;
}

// The learnt values of a node, of which any may be null.
struct WeightsOf {
  using Result = absl::InlinedVector<WeightsRef, 4>;
  Result operator()(const graph::Conv& op) const { return {op.weights, op.bias}; }
  Result operator()(const graph::Gemm& op) const { return {op.weights, op.bias}; }
  Result operator()(const graph::BatchNorm& op) const { return {op.scale, op.shift, op.mean, op.variance}; }
  Result operator()(const graph::GroupNorm& op) const { return {op.scale, op.shift}; }
  Result operator()(const graph::PRelu& op) const { return {op.slope}; }
  Result operator()(const graph::Binary& op) const { return {op.constant}; }
  template <typename Op>
  Result operator()(const Op&) const {
    return {};
  }
};

absl::Status Check(const graph::Node& node, const WeightsRef& weights) {
  if (weights == nullptr) return absl::OkStatus();
  const std::vector<float>& values = *weights->data;
  const size_t at = FirstNotFinite(values);
  if (at == values.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("node ", Quoted(node.name), " (", graph::OpName(node.op), "): tensor ",
                                                 Quoted(weights->name), ": expected finite values, got ", values[at],
                                                 " at index ", at));
}

}  // namespace

absl::Status CheckWeights(const graph::Graph& graph) {
  for (const graph::Node& node : graph.nodes) {
    for (const WeightsRef& weights : std::visit(WeightsOf(), node.op)) {
      RESNETD_RETURN_IF_ERROR(Check(node, weights));
    }
    for (const graph::PostOp& post_op : node.post_ops) {
      const auto* binary = std::get_if<graph::Binary>(&post_op);
      if (binary == nullptr) continue;
      RESNETD_RETURN_IF_ERROR(Check(node, binary->constant));
    }
  }
  return absl::OkStatus();
}

}  // namespace resnetd::passes
