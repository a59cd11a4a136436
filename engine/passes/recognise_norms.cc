// Exporters write normalisations in pieces, which are found from the last one. With m the mean of x along an axis:
//
//   layer     d / sqrt(mean of d^2 + eps), d = x - m             scale and shift follow, and fold-affine takes them in
//             x * k + (shift - m * k), k = scale / sqrt(...)     TensorFlow's batch_normalization of an axis
//   length    x / max(|x|, eps), x / (|x| + eps), x / sqrt(sum of x^2 + eps), |x| in one node or as the root of a sum
//   response  x + (shift + scale * (x * (l / (mean of l + eps)))), l the length of each channel
//
// A quotient may be a product with 1 / ..., which is a division, a power of -1 or, of what has no root yet, of -1/2. A
// length that was stretched to the dims of x (Expand) is not: an operation of two repeats its operands by itself.
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/passes/passes.h"
#include "engine/passes/uses.h"

namespace resnetd::passes {
namespace {

using graph::Activation;
using graph::ActivationKind;
using graph::Binary;
using graph::BinaryKind;
using graph::Dims;
using graph::Node;
using graph::Reduce;
using graph::ReduceKind;
using graph::ValueId;

constexpr float kHugeBound = 65504;  // of a Clip that has one bound only, which halves write as their largest

// x of x + value or max(x, value).
struct WithValue {
  ValueId x;
  float value;
};

class Norms {
 public:
  Norms(graph::Graph& graph, const Match& match) : graph_(graph), match_(match) {}

  void Visit(Node& node) {
    if (!node.post_ops.empty()) return;
    if (const auto squares = RootOf(node.output)) {
      if (const auto sum = SumOfSquares(*squares))
        return Become(node, Reduce{ReduceKind::kL2, {sum->axes.begin(), sum->axes.end()}}, sum->x);
    }
    if (FindLayerNorm(node) || FindMomentsNorm(node) || FindL2Norm(node)) return;
    FindResponseNorm(node);
  }

 private:
  struct Sum {
    ValueId x;
    std::vector<int64_t> axes;
  };
  struct Factors {
    ValueId a, b;
  };
  struct Deviation {
    ValueId x;
    int64_t axis;
    float epsilon;
  };

  const Dims& dims(ValueId id) const { return graph_.value(id).dims; }
  ValueId Input(ValueId id, size_t i = 0) const { return match_.Producer(id)->inputs[i]; }

  static void Become(Node& node, graph::Op op, ValueId x) {
    node.op = std::move(op);
    node.inputs = {x};
  }

  // The operands of an operation of two values; those of one that commutes come in both orders, where `swapped`.
  std::optional<Factors> Two(ValueId id, BinaryKind kind, bool swapped = false) const {
    const auto* binary = match_.Get<Binary>(id);
    if (binary == nullptr || binary->kind != kind || binary->constant != nullptr || binary->reversed) return {};
    return swapped ? Factors{Input(id, 1), Input(id, 0)} : Factors{Input(id, 0), Input(id, 1)};
  }

  std::optional<WithValue> Plus(ValueId id) const {
    if (const auto* linear = match_.Get<Activation>(id);
        linear != nullptr && linear->kind == ActivationKind::kLinear && linear->alpha == 1) {
      return WithValue{Input(id), linear->beta};
    }
    const auto* binary = match_.Get<Binary>(id);
    if (binary == nullptr || binary->kind != BinaryKind::kAdd || binary->constant == nullptr) return {};
    if (binary->constant->data.size() != 1 || dims(Input(id)) != dims(id)) return {};
    return WithValue{Input(id), binary->constant->data.front()};
  }

  std::optional<WithValue> AtLeast(ValueId id) const {
    const auto* clip = match_.Get<Activation>(id);
    if (clip == nullptr || clip->kind != ActivationKind::kClip || clip->beta < kHugeBound || !(clip->alpha >= 0)) {
      return {};
    }
    return WithValue{Input(id), clip->alpha};
  }

  std::optional<ValueId> Power(ValueId id, float exponent) const {
    const auto* power = match_.Get<Activation>(id);
    if (power == nullptr || power->kind != ActivationKind::kPow || power->alpha != exponent) return {};
    return Input(id);
  }

  std::optional<ValueId> RootOf(ValueId id) const {
    if (const auto x = match_.Activation(id, ActivationKind::kSqrt)) return x;
    return Power(id, 0.5f);
  }

  // x of 1 / x.
  std::optional<ValueId> OneOver(ValueId id) const {
    if (const auto x = Power(id, -1)) return x;
    const auto* binary = match_.Get<Binary>(id);
    if (binary == nullptr || binary->kind != BinaryKind::kDiv || !binary->reversed || binary->constant == nullptr) {
      return {};
    }
    if (binary->constant->data.size() != 1 || binary->constant->data.front() != 1) return {};
    return Input(id);
  }

  // x of sqrt(x), of which `id` is one divided by.
  std::optional<ValueId> OneOverRootOf(ValueId id) const {
    if (const auto x = Power(id, -0.5f)) return x;
    if (const auto root = OneOver(id)) return RootOf(*root);
    const auto inverse = RootOf(id);  // the root of what is one divided by
    return inverse ? OneOver(*inverse) : std::nullopt;
  }

  std::optional<ValueId> SquareOf(ValueId id) const {
    if (const auto x = Power(id, 2)) {
      const auto magnitude = match_.Activation(*x, ActivationKind::kAbs);
      return magnitude ? magnitude : x;
    }
    const auto product = Two(id, BinaryKind::kMul);
    return product && product->a == product->b ? std::optional(product->a) : std::nullopt;
  }

  std::optional<Sum> Reduced(ValueId id, ReduceKind kind) const {
    const auto* reduce = match_.Get<Reduce>(id);
    if (reduce == nullptr || reduce->kind != kind) return {};
    return Sum{Input(id), {reduce->axes.begin(), reduce->axes.end()}};
  }

  std::optional<Sum> SumOfSquares(ValueId id) const {
    const auto sum = Reduced(id, ReduceKind::kSum);
    const auto x = sum ? SquareOf(sum->x) : std::nullopt;
    if (!x) return {};
    return Sum{*x, sum->axes};
  }

  // x of x - (mean of x along one axis).
  std::optional<Deviation> Centred(ValueId id) const {
    const auto difference = Two(id, BinaryKind::kSub);
    const auto mean = difference ? Reduced(difference->b, ReduceKind::kMean) : std::nullopt;
    if (!mean || mean->x != difference->a || mean->axes.size() != 1) return {};
    return Deviation{mean->x, mean->axes[0], 0};
  }

  // The value that `id` is the variance of, plus an epsilon.
  std::optional<Deviation> Variance(ValueId id) const {
    const auto plus = Plus(id);
    const auto mean = Reduced(plus ? plus->x : id, ReduceKind::kMean);
    const auto difference = mean ? SquareOf(mean->x) : std::nullopt;
    const auto centred = difference ? Centred(*difference) : std::nullopt;
    if (!centred || mean->axes.size() != 1 || mean->axes[0] != centred->axis) return {};
    return Deviation{centred->x, centred->axis, plus ? plus->value : 0};
  }

  // The same weights for all nodes that need such: a small file could become a large graph.
  graph::WeightsRef Filled(int64_t size, float value) {
    graph::WeightsRef& filled = filled_[{size, value}];
    if (filled == nullptr) {
      filled = graph::MakeWeights(value == 0 ? "zeros" : "ones", {size},
                                  std::vector<float>(static_cast<size_t>(size), value));
    }
    return filled;
  }

  bool FindLayerNorm(Node& node) {
    const auto check = [&](ValueId centred_id, std::optional<ValueId> variance_id) {
      const auto centred = Centred(centred_id);
      const auto variance = centred && variance_id ? Variance(*variance_id) : std::nullopt;
      if (!variance || variance->x != centred->x || variance->axis != centred->axis) return false;
      const int64_t size = dims(centred->x)[static_cast<size_t>(centred->axis)];
      Become(node, graph::LayerNorm{Filled(size, 1), Filled(size, 0), centred->axis, variance->epsilon}, centred->x);
      return true;
    };
    if (const auto quotient = Two(node.output, BinaryKind::kDiv)) return check(quotient->a, RootOf(quotient->b));
    for (const bool swapped : {false, true}) {
      const auto product = Two(node.output, BinaryKind::kMul, swapped);
      if (product && check(product->a, OneOverRootOf(product->b))) return true;
    }
    return false;
  }

  // The constant of `value op constant` with a value for each element of `axis`; null if `id` is no such thing.
  graph::WeightsRef Along(ValueId id, BinaryKind kind, int64_t axis, bool reversed = false) const {
    const auto* binary = match_.Get<Binary>(id);
    if (binary == nullptr || binary->kind != kind || binary->constant == nullptr || binary->reversed != reversed) {
      return nullptr;
    }
    const graph::Weights& constant = *binary->constant;
    const auto at = static_cast<size_t>(axis);
    const bool fits = constant.dims.size() == dims(id).size() && constant.dims[at] == dims(id)[at] &&
                      static_cast<int64_t>(constant.data.size()) == constant.dims[at];
    return fits ? graph::MakeWeights(constant.name, {constant.dims[at]}, constant.data) : nullptr;
  }

  // The deviation whose inverse, perhaps scaled along its axis, the value is.
  std::optional<Deviation> ScaledInverse(ValueId id, graph::WeightsRef& scale) {
    const auto plain = OneOverRootOf(id);
    const auto* product = plain ? nullptr : match_.Get<Binary>(id);
    if (!plain && (product == nullptr || product->constant == nullptr)) return {};
    const auto variance_id = plain ? plain : OneOverRootOf(Input(id));
    const auto variance = variance_id ? Variance(*variance_id) : std::nullopt;
    if (!variance) return {};
    scale = plain ? Filled(dims(variance->x)[static_cast<size_t>(variance->axis)], 1)
                  : Along(id, BinaryKind::kMul, variance->axis);
    return scale == nullptr ? std::nullopt : variance;
  }

  bool FindMomentsNorm(Node& node) {
    for (const bool swapped : {false, true}) {
      const auto sum = Two(node.output, BinaryKind::kAdd, swapped);
      if (!sum || match_.Get<Binary>(sum->b) == nullptr) continue;
      for (const bool turned : {false, true}) {
        const auto product = Two(sum->a, BinaryKind::kMul, turned);
        graph::WeightsRef scale;
        const auto variance = product ? ScaledInverse(product->b, scale) : std::nullopt;
        if (!variance || product->a != variance->x) continue;
        const graph::WeightsRef shift = Along(sum->b, BinaryKind::kSub, variance->axis, true);
        if (shift == nullptr) continue;
        for (const bool third : {false, true}) {
          const auto moved = Two(Input(sum->b), BinaryKind::kMul, third);
          const auto mean = moved ? Reduced(moved->a, ReduceKind::kMean) : std::nullopt;
          if (!mean || moved->b != product->b || mean->x != variance->x || mean->axes.size() != 1 ||
              mean->axes[0] != variance->axis) {
            continue;
          }
          Become(node, graph::LayerNorm{scale, shift, variance->axis, variance->epsilon}, variance->x);
          return true;
        }
      }
    }
    return false;
  }

  // The normalisation of `x` by the length that `id` is.
  std::optional<graph::L2Norm> Length(ValueId id, ValueId x) const {
    graph::L2Norm norm;
    id = WithoutReshapes(id);
    if (const auto plus = Plus(id)) norm.beside = plus->value, id = WithoutReshapes(plus->x);
    if (const auto least = AtLeast(id)) norm.floor = least->value, id = WithoutReshapes(least->x);
    std::optional<Sum> sum = Reduced(id, ReduceKind::kL2);
    if (const auto root = sum ? std::nullopt : RootOf(id)) return Squares(*root, x, norm);
    return Complete(sum, x, norm);
  }

  // The same of the squared length, before the root.
  std::optional<graph::L2Norm> Squares(ValueId id, ValueId x, graph::L2Norm norm) const {
    id = WithoutReshapes(id);
    if (const auto least = AtLeast(id)) {
      if (norm.floor != 0) return {};
      norm.floor = std::sqrt(least->value);
      id = WithoutReshapes(least->x);
    } else if (const auto plus = Plus(id)) {
      norm.inside = plus->value;
      id = WithoutReshapes(plus->x);
    }
    return Complete(SumOfSquares(id), x, norm);
  }

  std::optional<graph::L2Norm> Complete(const std::optional<Sum>& sum, ValueId x, graph::L2Norm norm) const {
    if (!sum || sum->x != x || sum->axes.size() != 1) return {};
    if (!(norm.inside >= 0) || !(norm.floor >= 0) || !(norm.beside >= 0)) return {};
    norm.axis = sum->axes[0];
    return norm;
  }

  ValueId WithoutReshapes(ValueId id) const {
    while (match_.Get<graph::Reshape>(id) != nullptr) id = Input(id);
    return id;
  }

  // That the length has the axes of x, its own with size 1: a reshape may have given it others.
  bool Fits(ValueId length, ValueId x, int64_t axis) const {
    Dims expected = dims(x);
    expected[static_cast<size_t>(axis)] = 1;
    return dims(length) == expected;
  }

  bool FindL2Norm(Node& node) {
    const auto become = [&](ValueId x, ValueId length, const std::optional<graph::L2Norm>& norm) {
      if (!norm || !Fits(length, x, norm->axis)) return false;
      Become(node, *norm, x);
      return true;
    };
    if (const auto quotient = Two(node.output, BinaryKind::kDiv)) {
      return become(quotient->a, quotient->b, Length(quotient->b, quotient->a));
    }
    for (const bool swapped : {false, true}) {
      const auto product = Two(node.output, BinaryKind::kMul, swapped);
      if (!product) continue;
      const ValueId inverse = WithoutReshapes(product->b);
      if (const auto length = OneOver(inverse)) {
        if (become(product->a, product->b, Length(*length, product->a))) return true;
      }
      if (const auto squares = OneOverRootOf(inverse)) {
        if (become(product->a, product->b, Squares(*squares, product->a, {}))) return true;
      }
    }
    return false;
  }

  // The epsilon of l / (mean of l over the channels + epsilon), l the length of each channel of `x`.
  std::optional<float> Response(ValueId id, ValueId x) const {
    const auto quotient = Two(id, BinaryKind::kDiv);
    const auto length = quotient ? Reduced(quotient->a, ReduceKind::kL2) : std::nullopt;
    const auto plus = quotient ? Plus(quotient->b) : std::nullopt;
    const auto mean = plus ? Reduced(plus->x, ReduceKind::kMean) : std::nullopt;
    const auto over = [](const Sum& sum, std::initializer_list<int64_t> axes) {
      return std::equal(sum.axes.begin(), sum.axes.end(), axes.begin(), axes.end());
    };
    if (!length || !mean || length->x != x || mean->x != quotient->a) return {};
    if (!over(*length, {1, 2}) || !over(*mean, {0})) return {};
    return plus->value;
  }

  bool FindResponseNorm(Node& node) {
    if (dims(node.output).size() != 3) return false;
    for (const bool swapped : {false, true}) {
      const auto sum = Two(node.output, BinaryKind::kAdd, swapped);
      const graph::WeightsRef shift = sum ? Along(sum->b, BinaryKind::kAdd, 0) : nullptr;
      const graph::WeightsRef scale = shift != nullptr ? Along(Input(sum->b), BinaryKind::kMul, 0) : nullptr;
      if (scale == nullptr) continue;
      for (const bool turned : {false, true}) {
        const auto product = Two(Input(Input(sum->b)), BinaryKind::kMul, turned);
        const auto epsilon = product && product->a == sum->a ? Response(product->b, sum->a) : std::nullopt;
        if (!epsilon) continue;
        Become(node, graph::ResponseNorm{scale, shift, *epsilon}, sum->a);
        return true;
      }
    }
    return false;
  }

  graph::Graph& graph_;
  const Match& match_;
  absl::flat_hash_map<std::pair<int64_t, float>, graph::WeightsRef> filled_;
};

// x of x + zeros of other dims; nullopt if the value is no such thing.
std::optional<ValueId> Stretched(const graph::Graph& graph, const Match& match, ValueId id) {
  const auto* binary = match.Get<Binary>(id);
  if (binary == nullptr || binary->kind != BinaryKind::kAdd || binary->constant == nullptr) return std::nullopt;
  const ValueId x = match.Producer(id)->inputs[0];
  if (graph.value(x).dims == graph.value(id).dims) return std::nullopt;
  for (const float zero : binary->constant->data) {
    if (zero != 0) return std::nullopt;
  }
  return x;
}

}  // namespace

absl::Status RemoveExpands(graph::Graph& graph) {
  const Uses uses(graph);
  const Match match(graph, uses);
  for (Node& node : graph.nodes) {
    const auto* binary = std::get_if<Binary>(&node.op);
    if (binary == nullptr || binary->constant != nullptr || !node.post_ops.empty()) continue;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      // The other operand has all the dims already.
      if (graph.value(node.inputs[1 - i]).dims != graph.value(node.output).dims) continue;
      if (const auto x = Stretched(graph, match, node.inputs[i])) node.inputs[i] = *x;
    }
  }
  return RemoveDead(graph);
}

absl::Status RecogniseNorms(graph::Graph& graph) {
  const Uses uses(graph);
  const Match match(graph, uses);
  Norms norms(graph, match);
  for (Node& node : graph.nodes) norms.Visit(node);
  return RemoveDead(graph);
}

}  // namespace resnetd::passes
