// A NaN among the weights need not reach an output: max(NaN, 0) is 0 where a ReLU is computed by the processor's own
// maximum, so that the network answers, and wrongly.
//
// A view keeps the whole file. Where batch norms were folded into all layers but the last, the file is as large as the
// folded weights beside it and of no other use. Where the exporter had folded them, the file is the weights: as an
// external file they lie where packing can read them, but within an ONNX file protobuf aligns nothing, and packing
// would copy them after all, one by one, beside the file.
#include "engine/passes/weights.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"

namespace resnetd::passes {
namespace {

using graph::Weights;
using graph::WeightsRef;

// Calls visit(WeightsRef&) for all learnt values of a node: its operator's, then those of its post-ops. The reference
// is to const if `Node` is.
template <typename Node, typename Visit>
void VisitWeights(Node& node, const Visit& visit) {
  const auto see = [&](auto&... weights) { ((weights != nullptr ? visit(weights) : void()), ...); };
  const auto see_those_of = [&](auto& op) {
    using Op = std::remove_cvref_t<decltype(op)>;
    if constexpr (std::is_same_v<Op, graph::Conv> || std::is_same_v<Op, graph::Gemm>) see(op.weights, op.bias);
    if constexpr (std::is_same_v<Op, graph::BatchNorm>) see(op.scale, op.shift, op.mean, op.variance);
    if constexpr (std::is_same_v<Op, graph::GroupNorm>) see(op.scale, op.shift);
    if constexpr (std::is_same_v<Op, graph::LayerNorm>) see(op.scale, op.shift);
    if constexpr (std::is_same_v<Op, graph::ResponseNorm>) see(op.scale, op.shift);
    if constexpr (std::is_same_v<Op, graph::PRelu>) see(op.slope);
    if constexpr (std::is_same_v<Op, graph::Binary>) see(op.constant);
  };
  std::visit(see_those_of, node.op);
  for (auto& post_op : node.post_ops) std::visit(see_those_of, post_op);
}

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

// The share of a file that aligned views must need for it to be kept: at most a tenth is kept for nothing.
constexpr size_t kLeastPercent = 90;

bool LiesIn(const Bytes& file, const Weights& weights) {
  const char *const begin = file.view().data(), *const at = weights.data.bytes().view().data();
  return std::less_equal<>()(begin, at) && std::less<>()(at, begin + file.size());
}

// False if the graph keeps the file.
bool LeaveFile(const Bytes& file, graph::Graph& graph) {
  absl::flat_hash_set<const Weights*> seen;
  size_t needed = 0;
  for (const graph::Node& node : graph.nodes) {
    VisitWeights(node, [&](const WeightsRef& weights) {
      const bool view = LiesIn(file, *weights) && weights->data.aligned() != nullptr;
      if (view && seen.insert(weights.get()).second) needed += weights->data.bytes().size();
    });
  }
  if (needed > 0 && needed * 100 >= file.size() * kLeastPercent) return false;
  absl::flat_hash_map<WeightsRef, WeightsRef> copies;  // what several nodes share they share still
  for (graph::Node& node : graph.nodes) {
    VisitWeights(node, [&](WeightsRef& weights) {
      if (!LiesIn(file, *weights)) return;
      WeightsRef& copy = copies[weights];
      if (copy == nullptr) copy = graph::MakeWeights(weights->name, weights->dims, weights->data.Copy());
      weights = copy;
    });
  }
  return true;
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

bool LeaveFiles(absl::Span<const Bytes> files, graph::Graph& graph) {
  bool all = true;
  for (const Bytes& file : files) all &= LeaveFile(file, graph);
  return all;
}

}  // namespace resnetd::passes
