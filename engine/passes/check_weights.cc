// A NaN among the weights need not reach an output: max(NaN, 0) is 0 where a ReLU is computed by the processor's own
// maximum, so that the network answers, and wrongly.
#include "engine/passes/check_weights.h"

#include <bit>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "engine/passes/weights_of.h"

namespace resnetd::passes {
namespace {

using graph::WeightsRef;

constexpr uint32_t kExponent = 0x7F80'0000;  // all ones in an infinity or a NaN
constexpr size_t kBlock = 64;                // one pass without a branch, which the compiler vectorises

bool IsFinite(float value) {
  return (std::bit_cast<uint32_t>(value) & kExponent) != kExponent;
}

// Index of the first value that is not finite; the size where all are.
size_t FirstNotFinite(const graph::Floats& values) {
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

absl::Status Check(const graph::Node& node, const graph::Weights& weights) {
  const graph::Floats& values = weights.data;
  const size_t at = FirstNotFinite(values);
  if (at == values.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("node ", Quoted(node.name), " (", graph::OpName(node.op), "): tensor ",
                                                 Quoted(weights.name), ": expected finite values, got ", values[at],
                                                 " at index ", at));
}

}  // namespace

absl::Status CheckWeights(const graph::Graph& graph) {
  absl::Status status;
  for (const graph::Node& node : graph.nodes) {
    VisitWeights(node, [&](const WeightsRef& weights) {
      if (status.ok()) status = Check(node, *weights);
    });
  }
  return status;
}

}  // namespace resnetd::passes
