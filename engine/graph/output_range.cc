// Ranges are found from the output towards the image, as far as operators keep them:
//
//   sigmoid [0, 1] -> clip [0.01, 0.99] -> average [0.01, 0.99] -> reshape [0.01, 0.99]: probabilities
//   sigmoid [0, 1] -> * 100 [0, 100]: no probability any more
#include "engine/graph/output_range.h"

#include <algorithm>
#include <cmath>

#include "engine/graph/output_tail.h"

namespace resnetd::graph {
namespace {

constexpr int kDeepest = 16;         // nodes between an output and what squashes its values
constexpr float kTolerance = 1e-6f;  // of bounds such as 1 - 1e-7, which are rounded

class Ranges {
 public:
  Ranges(const Graph& graph, const Producers& producers) : graph_(graph), producers_(producers) {}

  Range Of(ValueId value, int depth) const {
    const Node* node = producers_.Find(value);
    if (node == nullptr || depth == kDeepest) return {};
    if (ExpOfSoftmax(producers_, *node) != nullptr) return {0, 1, HeadActivation::kSoftmax};
    return std::visit([&](const auto& op) { return After(*node, op, depth + 1); }, node->op);
  }

 private:
  Range Same(const Node& node, int depth) const { return Of(node.inputs[0], depth); }

  Range After(const Node& node, const Softmax& softmax, int /*depth*/) const {
    if (softmax.log) return {.high = 0};
    const Dims& dims = graph_.value(node.output).dims;
    const auto axis = static_cast<size_t>(softmax.axis);
    if (axis >= dims.size() || dims[axis] == 1) return {1, 1};  // of one value it is 1, and says nothing
    return {0, 1, HeadActivation::kSoftmax};
  }

  Range After(const Node& node, const Activation& activation, int depth) const {
    switch (activation.kind) {
      case ActivationKind::kSigmoid:
      case ActivationKind::kHardSigmoid:
        return {0, 1, HeadActivation::kSigmoid};
      case ActivationKind::kAbs:
      case ActivationKind::kSoftplus:
        return {.low = 0};
      case ActivationKind::kRelu:
        return Clip(Same(node, depth), 0, std::numeric_limits<float>::infinity());
      case ActivationKind::kClip:
        return Clip(Same(node, depth), activation.alpha, activation.beta);
      case ActivationKind::kLinear:
        return Scale(Same(node, depth), activation.alpha, activation.beta);
      default:
        return {};
    }
  }

  Range After(const Node& node, const Binary& binary, int depth) const {
    if (binary.constant == nullptr || node.inputs.size() != 1) return {};
    const Floats& values = binary.constant->data;
    const float c = values.front();
    if (std::any_of(values.begin(), values.end(), [c](float x) { return x != c; })) return {};
    const Range before = Same(node, depth);
    switch (binary.kind) {
      case BinaryKind::kAdd:
        return Scale(before, 1, c);
      case BinaryKind::kSub:
        return binary.reversed ? Scale(before, -1, c) : Scale(before, 1, -c);
      case BinaryKind::kMul:
        return Scale(before, c, 0);
      case BinaryKind::kDiv:
        return binary.reversed ? Range() : Scale(before, 1 / c, 0);
      case BinaryKind::kMax:
        return Clip(before, c, std::numeric_limits<float>::infinity());
      case BinaryKind::kMin:
        return Clip(before, -std::numeric_limits<float>::infinity(), c);
    }
    return {};
  }

  Range After(const Node& node, const Concat&, int depth) const {
    Range all = Same(node, depth);
    for (const ValueId input : node.inputs) {
      const Range one = Of(input, depth);
      all = {std::min(all.low, one.low), std::max(all.high, one.high),
             all.by == one.by ? all.by : HeadActivation::kNone};
    }
    return all;
  }

  Range After(const Node& node, const Reduce& reduce, int depth) const {
    const bool keeps = reduce.kind == ReduceKind::kMean || reduce.kind == ReduceKind::kMax;
    return keeps ? Same(node, depth) : Range();
  }

  // Zeros around a map may be averaged with it.
  Range After(const Node& node, const AveragePool&, int depth) const {
    Range range = Same(node, depth);
    range.low = std::min(range.low, 0.0f);
    return range;
  }

  Range After(const Node&, const L2Norm&, int /*depth*/) const { return {-1, 1}; }

  Range After(const Node& node, const MaxPool&, int depth) const { return Same(node, depth); }
  Range After(const Node& node, const Reshape&, int depth) const { return Same(node, depth); }
  Range After(const Node& node, const Transpose&, int depth) const { return Same(node, depth); }
  Range After(const Node& node, const Slice&, int depth) const { return Same(node, depth); }

  template <typename Op>
  Range After(const Node&, const Op&, int /*depth*/) const {
    return {};
  }

  static Range Clip(Range range, float low, float high) {
    if (!(low <= high)) return {};
    return {std::clamp(range.low, low, high), std::clamp(range.high, low, high), range.by};
  }

  // p and 1 - p are probabilities; what is scaled in another way is not.
  static Range Scale(Range range, float by, float plus) {
    if (!(std::abs(by) > 0) || !std::isfinite(by)) return {};
    Range scaled{range.low * by + plus, range.high * by + plus};
    if (by < 0) std::swap(scaled.low, scaled.high);
    if (std::abs(by) == 1) scaled.by = range.by;
    return scaled;
  }

  const Graph& graph_;
  const Producers& producers_;
};

}  // namespace

bool Range::holds_probabilities() const {
  return by != HeadActivation::kNone && low >= -kTolerance && high <= 1 + kTolerance;
}

Range RangeOf(const Graph& graph, const Producers& producers, ValueId value) {
  return Ranges(graph, producers).Of(value, 0);
}

bool HasUnitLength(const Graph& graph, ValueId vector) {
  constexpr float kNothing = 1e-3f;  // beside lengths of embeddings
  const Producers producers(graph);
  const Node* node = producers.Find(BeforeReshapes(graph, producers, vector));
  const auto* norm = node != nullptr && node->post_ops.empty() ? std::get_if<L2Norm>(&node->op) : nullptr;
  if (norm == nullptr || std::max(norm->floor, norm->beside) > kNothing) return false;
  if (norm->inside > kNothing * kNothing) return false;  // under the root
  const Dims& dims = graph.value(node->output).dims;
  return IsVector(dims) && dims[static_cast<size_t>(norm->axis)] == *std::max_element(dims.begin(), dims.end());
}

const Node* ExpOfSoftmax(const Producers& producers, const Node& node) {
  const auto* ratio = std::get_if<Binary>(&node.op);
  if (ratio == nullptr || ratio->kind != BinaryKind::kDiv || node.inputs.size() != 2) return nullptr;
  const Node* power = producers.Find(node.inputs[0]);
  const auto* exp = power == nullptr ? nullptr : std::get_if<Activation>(&power->op);
  if (exp == nullptr || exp->kind != ActivationKind::kExp) return nullptr;
  const Node* total = producers.Find(node.inputs[1]);
  while (total != nullptr && std::holds_alternative<Reshape>(total->op)) total = producers.Find(total->inputs[0]);
  const auto* sum = total == nullptr ? nullptr : std::get_if<Reduce>(&total->op);
  const bool own = sum != nullptr && sum->kind == ReduceKind::kSum && total->inputs[0] == node.inputs[0];
  return own ? power : nullptr;
}

}  // namespace resnetd::graph
