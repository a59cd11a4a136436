// A tail is read from the output towards the image, node by node, as long as one input matters:
//
//   output <- Reshape <- Softmax <- Mul constant <- Gemm <- Flatten <- ReduceMean <- ...
//             passes     activation passes          layer
//
// Dividing by a length has two inputs, both of which come from the same vector x:
//
//   x / sqrt(sum x^2), x / max(|x|, eps), x * (1 / |x|)
#include "engine/graph/output_tail.h"

#include <algorithm>
#include <numeric>

namespace resnetd::graph {
namespace {

constexpr int kLongestNorm = 8;  // nodes between a vector and its length

int64_t Elements(const Dims& dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

bool IsMap(const Dims& dims) {
  return dims.size() == 3 && !IsVector(dims);
}

// True if the constant is neither one number nor the same number for each channel.
bool DiffersByChannel(const Weights& constant) {
  const Floats& data = constant.data;
  return std::any_of(data.begin(), data.end(), [&](float x) { return x != data.front(); });
}

const Binary* TwoInputs(const Node& node) {
  const auto* binary = std::get_if<Binary>(&node.op);
  return binary != nullptr && binary->constant == nullptr ? binary : nullptr;
}

// Whether `id` is a length of the vector `of`, maybe kept from being zero, or one over it.
bool IsLength(const Producers& producers, ValueId id, ValueId of) {
  for (int i = 0; i < kLongestNorm; ++i) {
    const Node* node = producers.Find(id);
    if (node == nullptr) return false;
    if (id == of) return false;
    if (const auto* reduce = std::get_if<Reduce>(&node->op)) {
      if (reduce->kind == ReduceKind::kL2) return node->inputs[0] == of;
      if (reduce->kind != ReduceKind::kSum) return false;
      const Node* squares = producers.Find(node->inputs[0]);
      if (squares == nullptr) return false;
      const auto* product = TwoInputs(*squares);
      const bool multiplied = product != nullptr && product->kind == BinaryKind::kMul && squares->inputs[0] == of &&
                              squares->inputs[1] == of;
      const auto* power = std::get_if<Activation>(&squares->op);
      return multiplied ||
             (power != nullptr && power->kind == ActivationKind::kPow && power->alpha == 2 && squares->inputs[0] == of);
    }
    if (TwoInputs(*node) != nullptr) return false;
    const bool passes = std::holds_alternative<Activation>(node->op) || std::holds_alternative<Binary>(node->op) ||
                        std::holds_alternative<Reshape>(node->op);
    if (!passes) return false;
    id = node->inputs[0];
  }
  return false;
}

// The vector that the node divides by its length; nullopt if it does something else.
std::optional<ValueId> NormalisedBy(const Producers& producers, const Node& node) {
  if (std::holds_alternative<L2Norm>(node.op)) return node.inputs[0];
  const Binary* binary = TwoInputs(node);
  if (binary == nullptr || binary->reversed) return std::nullopt;
  if (binary->kind != BinaryKind::kDiv && binary->kind != BinaryKind::kMul) return std::nullopt;
  if (IsLength(producers, node.inputs[1], node.inputs[0])) return node.inputs[0];
  if (binary->kind == BinaryKind::kMul && IsLength(producers, node.inputs[0], node.inputs[1])) return node.inputs[1];
  return std::nullopt;
}

// Whether it yields x - max(x), as before the exp of a softmax in pieces.
bool TakesLargestAway(const Producers& producers, const Node& node) {
  const Binary* difference = TwoInputs(node);
  if (difference == nullptr || difference->kind != BinaryKind::kSub || difference->reversed) return false;
  const Node* largest = producers.Find(node.inputs[1]);
  const auto* reduce = largest == nullptr ? nullptr : std::get_if<Reduce>(&largest->op);
  return reduce != nullptr && reduce->kind == ReduceKind::kMax && largest->inputs[0] == node.inputs[0];
}

class Reader {
 public:
  Reader(const Graph& graph, const Producers& producers) : graph_(graph), producers_(producers) {}

  Tail Read(ValueId output) {
    tail_.scores = output;
    TakeActivation(output);
    if (tail_.activation == HeadActivation::kNone) {
      const Range range = RangeOf(graph_, producers_, output);
      if (range.holds_probabilities()) tail_.activation = range.by;
    }
    ValueId at = tail_.scores;
    for (const Node* node = producers_.Find(at); node != nullptr; node = producers_.Find(at)) {
      if (std::holds_alternative<Gemm>(node->op) || std::holds_alternative<Conv>(node->op)) {
        tail_.layer = producers_.IndexOf(at);
        break;
      }
      const std::optional<ValueId> before = Pass(*node);
      if (!before) break;
      at = *before;
    }
    if (!tail_.layer) tail_ = {.scores = output};
    return tail_;
  }

 private:
  const Dims& dims(ValueId id) const { return graph_.value(id).dims; }

  void TakeActivation(ValueId output) {
    if (!IsVector(dims(output))) return;
    const Node* node = producers_.Find(BeforeReshapes(graph_, producers_, output));
    if (node == nullptr) return;
    if (const auto* softmax = std::get_if<Softmax>(&node->op)) {
      if (!OverAll(*softmax, dims(node->output))) return;
      tail_.activation = HeadActivation::kSoftmax;
      if (softmax->log) {  // its values are scores too: a softmax of them is what they are the logarithms of
        tail_.last = true;
        return;
      }
    } else if (const auto* activation = std::get_if<Activation>(&node->op);
               activation != nullptr && activation->kind == ActivationKind::kSigmoid) {
      tail_.activation = HeadActivation::kSigmoid;
    } else {
      return;
    }
    tail_.last = true;
    tail_.scores = node->inputs[0];
  }

  // Whether it makes probabilities of all elements. Over an axis of size 1 it says nothing.
  static bool OverAll(const Softmax& softmax, const Dims& dims) {
    const auto axis = static_cast<size_t>(softmax.axis);
    return axis < dims.size() ? dims[axis] == Elements(dims) : dims.empty();
  }

  // A softmax that the output does not end in. What follows it works on probabilities.
  void NoteSoftmax(const Softmax& softmax, const Dims& over) {
    if (tail_.activation != HeadActivation::kNone) return;
    tail_.bent = tail_.normalised = false;
    if (OverAll(softmax, over)) {
      tail_.activation = HeadActivation::kSoftmax;
    } else {
      tail_.bent = true;
    }
  }

  // Notes what the node does, and says which of its inputs to look at next; nullopt where several matter.
  std::optional<ValueId> Pass(const Node& node) {
    if (const auto normalised = NormalisedBy(producers_, node)) {
      tail_.normalised = true;
      return normalised;
    }
    if (const Node* exp = ExpOfSoftmax(producers_, node)) return exp->inputs[0];
    if (TakesLargestAway(producers_, node)) return node.inputs[0];
    if (node.inputs.size() != 1) return std::nullopt;
    const ValueId before = node.inputs[0];
    if (const auto* binary = std::get_if<Binary>(&node.op)) {
      const bool scales = binary->kind == BinaryKind::kMul || binary->kind == BinaryKind::kDiv;
      tail_.normalised |= scales && DiffersByChannel(*binary->constant);
      tail_.bent |= binary->kind == BinaryKind::kDiv && binary->reversed;
    } else if (const auto* activation = std::get_if<Activation>(&node.op)) {
      NoteActivation(activation->kind);
    } else if (const auto* softmax = std::get_if<Softmax>(&node.op)) {
      NoteSoftmax(*softmax, dims(before));
    } else if (std::holds_alternative<BatchNorm>(node.op) || std::holds_alternative<GroupNorm>(node.op) ||
               std::holds_alternative<LayerNorm>(node.op)) {
      tail_.normalised = true;
    } else if (std::holds_alternative<PRelu>(node.op)) {
      tail_.bent = true;
    } else if (std::holds_alternative<Reshape>(node.op)) {
      tail_.flattened |= IsMap(dims(before)) && IsVector(dims(node.output));
    } else if (std::holds_alternative<Reduce>(node.op) || std::holds_alternative<AveragePool>(node.op) ||
               std::holds_alternative<MaxPool>(node.op)) {
      if (!IsVector(dims(node.output))) return std::nullopt;
      tail_.pooled |= IsMap(dims(before));
    } else if (!std::holds_alternative<Transpose>(node.op)) {
      return std::nullopt;
    }
    return before;
  }

  void NoteActivation(ActivationKind kind) {
    if (kind == ActivationKind::kLinear) return;
    if (kind == ActivationKind::kSigmoid && tail_.activation == HeadActivation::kNone) {
      tail_.bent = true;
      return;
    }
    const bool of_pixels = tail_.pooled && kind == ActivationKind::kRelu;
    tail_.relu_of_pixels |= of_pixels;
    tail_.bent |= !of_pixels;
  }

  const Graph& graph_;
  const Producers& producers_;
  Tail tail_;
};

}  // namespace

Producers::Producers(const Graph& graph) : graph_(graph), by_value_(graph.values.size(), -1) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    by_value_[static_cast<size_t>(graph.nodes[i].output)] = static_cast<int>(i);
  }
}

bool IsVector(const Dims& dims) {
  return dims.size() < 2 || *std::max_element(dims.begin(), dims.end()) == Elements(dims);
}

Tail TailOf(const Graph& graph, const Producers& producers, ValueId output) {
  return Reader(graph, producers).Read(output);
}

bool CanClassify(const Graph& graph, const Tail& tail) {
  if (!tail.layer || tail.bent || tail.flattened) return false;
  const Node& layer = graph.nodes[*tail.layer];
  if (std::holds_alternative<Gemm>(layer.op)) return !tail.pooled;
  const auto& conv = std::get<Conv>(layer.op);
  const Dims& src = graph.value(layer.inputs[0]).dims;
  const bool one_pixel = src[1] == 1 && src[2] == 1;
  const bool pointwise = conv.weights->dims[2] == 1 && conv.weights->dims[3] == 1 && conv.groups == 1;
  return one_pixel || (pointwise && tail.pooled && conv.bias != nullptr);
}

bool ReadsPooled(const Graph& graph, const Producers& producers, const Node& layer) {
  for (const Node* node = producers.Find(layer.inputs[0]); node != nullptr; node = producers.Find(node->inputs[0])) {
    if (!IsVector(graph.value(node->output).dims)) return false;
    const Dims& before = graph.value(node->inputs[0]).dims;
    const bool pools = std::holds_alternative<Reduce>(node->op) || std::holds_alternative<AveragePool>(node->op) ||
                       std::holds_alternative<MaxPool>(node->op);
    if (pools && (before.size() == 3 || !IsVector(before))) return true;
    if (IsMap(before)) return false;
  }
  return false;
}

ValueId BeforeReshapes(const Graph& graph, const Producers& producers, ValueId vector) {
  for (const Node* node = producers.Find(vector); node != nullptr; node = producers.Find(vector)) {
    if (!std::holds_alternative<Reshape>(node->op) || !IsVector(graph.value(node->inputs[0]).dims)) break;
    vector = node->inputs[0];
  }
  return vector;
}

}  // namespace resnetd::graph
