// Functions of each element, and operations on pairs of elements.
//
// ONNX aligns the axes of two operands from behind, the batch among them. A constant of fewer axes than the activation
// is repeated for each image; one of as many must have 1 for the batch, or it would say something of single slots.
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/fold.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {
namespace {

using graph::ActivationKind;
using graph::BinaryKind;
using graph::Dims;
using graph::ValueId;
using graph::WeightsRef;

// The constant with as many axes as one image's share of the activation.
absl::StatusOr<WeightsRef> PerImage(const WeightsRef& constant, size_t rank) {
  Dims dims = constant->dims;
  if (dims.size() > rank + 1 || (dims.size() == rank + 1 && dims[0] != 1)) {
    return Expected("constant operand", absl::StrCat("at most ", rank + 1, " axes, the first of them 1"),
                    graph::ToString(dims));
  }
  if (dims.size() == rank + 1) dims.erase(dims.begin());
  dims.insert(dims.begin(), rank - dims.size(), 1);
  return std::get<WeightsRef>(WithDims(constant, std::move(dims)));
}

// The MatMul that yields the value, if `constant` can become its bias: with it, it is the layer that the exporter had.
graph::Gemm* BiaslessGemm(Import& into, ValueId value, const std::string& name, const WeightsRef& constant) {
  const auto producer = into.graph.Producer(value);
  graph::Gemm* gemm = producer ? std::get_if<graph::Gemm>(&into.graph.nodes[*producer].op) : nullptr;
  const bool fits = gemm != nullptr && gemm->bias == nullptr && into.uses(name) == 1 &&
                    constant->dims.size() == into.dims(value).size() &&
                    static_cast<int64_t>(constant->data.size()) == gemm->weights->dims[0] &&
                    constant->dims.back() == gemm->weights->dims[0];
  return fits ? gemm : nullptr;
}

// The operation with a constant as the function of each element that it may be, which layers can take in.
graph::Op WithConstant(const graph::Binary& op) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  const float bound = op.constant->data.front();
  if (op.constant->data.size() != 1 || !(std::abs(bound) <= kLargest)) return op;
  if (op.kind == BinaryKind::kMax && bound == 0) return graph::Relu();
  if (op.kind == BinaryKind::kMax) return graph::Activation{ActivationKind::kClip, bound, kLargest};
  if (op.kind == BinaryKind::kMin) return graph::Activation{ActivationKind::kClip, -kLargest, bound};
  return op;
}

// The one float of input `i`; `fallback` where the node has no such input.
absl::StatusOr<float> OneFloat(const NodeReader& n, const Import& into, int i, float fallback) {
  if (!into.HasInput(n, i)) return fallback;
  RESNETD_ASSIGN_OR_RETURN(const WeightsRef value, into.Floats(n, i));
  if (value->data.size() == 1) return value->data.front();
  return Expected(absl::StrCat("input ", i, " ", Quoted(n.node().input(i))), "one value", graph::ToString(value->dims));
}

}  // namespace

absl::Status ImportActivation(NodeReader& n, Import& into, graph::Activation op) {
  if (const auto constant = into.Floats(n, 0); constant.ok()) {
    RESNETD_ASSIGN_OR_RETURN(Operand folded, FoldFunction(into, op, *constant));
    return into.Alias(n, std::move(folded));
  }
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  return into.Add(n, op, {src});
}

absl::Status ImportSelu(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  const float alpha = n.Float("alpha", 1.67326319217681884765625f);
  const float gamma = n.Float("gamma", 1.05070102214813232421875f);
  RESNETD_ASSIGN_OR_RETURN(const ValueId elu, into.AddInner(n, graph::Activation{ActivationKind::kElu, alpha}, {src}));
  return into.Add(n, graph::Activation{ActivationKind::kLinear, gamma, 0}, {elu});
}

// alpha * elu(x / alpha): for x > 0 that is x.
absl::Status ImportCelu(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  const float alpha = n.Float("alpha", 1);
  if (!(alpha > 0)) return Expected("attribute 'alpha'", "a number above 0", absl::StrCat(alpha));
  if (alpha == 1) return into.Add(n, graph::Activation{ActivationKind::kElu, 1}, {src});
  const auto times = [](float factor) { return graph::Activation{ActivationKind::kLinear, factor, 0}; };
  RESNETD_ASSIGN_OR_RETURN(const ValueId divided, into.AddInner(n, times(1 / alpha), {src}));
  RESNETD_ASSIGN_OR_RETURN(const ValueId elu, into.AddInner(n, graph::Activation{ActivationKind::kElu, 1}, {divided}));
  return into.Add(n, times(alpha), {elu});
}

absl::StatusOr<Operand> Combine(NodeReader& n, Import& into, BinaryKind kind, const Operand& a, const Operand& b) {
  const ValueId* first = std::get_if<ValueId>(&a);
  const ValueId* second = std::get_if<ValueId>(&b);
  if (first == nullptr && second == nullptr) return FoldBinary(into, kind, a, b);
  if (first != nullptr && second != nullptr) {
    RESNETD_ASSIGN_OR_RETURN(const ValueId both, into.AddInner(n, graph::Binary{kind, nullptr}, {*first, *second}));
    return both;
  }
  const WeightsRef* floats = std::get_if<WeightsRef>(first == nullptr ? &a : &b);
  if (floats == nullptr) return Expected("operands", "floats", "floats and integers");
  const ValueId src = first == nullptr ? *second : *first;
  graph::Binary op{kind, nullptr, first == nullptr && !graph::Commutes(kind)};
  RESNETD_ASSIGN_OR_RETURN(op.constant, PerImage(*floats, into.dims(src).size()));
  RESNETD_ASSIGN_OR_RETURN(const ValueId both, into.AddInner(n, WithConstant(op), {src}));
  return both;
}

absl::Status ImportBinary(NodeReader& n, Import& into, BinaryKind kind) {
  RESNETD_ASSIGN_OR_RETURN(const Operand first, into.Any(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const Operand second, into.Any(n, 1));
  const ValueId* a = std::get_if<ValueId>(&first);
  const ValueId* b = std::get_if<ValueId>(&second);
  if (a == nullptr && b == nullptr) {
    RESNETD_ASSIGN_OR_RETURN(Operand folded, FoldBinary(into, kind, first, second));
    return into.Alias(n, std::move(folded));
  }
  graph::Binary op;
  op.kind = kind;
  if (a != nullptr && b != nullptr) return into.Add(n, std::move(op), {*a, *b});
  const int constant = a != nullptr ? 1 : 0;
  const ValueId src = a != nullptr ? *a : *b;
  RESNETD_ASSIGN_OR_RETURN(const WeightsRef floats, into.Floats(n, constant));
  RESNETD_ASSIGN_OR_RETURN(op.constant, PerImage(floats, into.dims(src).size()));
  op.reversed = constant == 0 && !graph::Commutes(kind);
  graph::Gemm* gemm =
      kind == BinaryKind::kAdd ? BiaslessGemm(into, src, n.node().input(1 - constant), op.constant) : nullptr;
  if (gemm == nullptr) return into.Add(n, WithConstant(op), {src});
  gemm->bias = std::get<WeightsRef>(WithDims(op.constant, {gemm->weights->dims[0]}));
  into.graph.value(src).name = n.node().output(0);
  return into.Alias(n, src);
}

absl::Status ImportClip(NodeReader& n, Import& into) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  graph::Activation op{ActivationKind::kClip, n.Float("min", -kLargest), n.Float("max", kLargest)};
  RESNETD_ASSIGN_OR_RETURN(op.alpha, OneFloat(n, into, 1, op.alpha));
  RESNETD_ASSIGN_OR_RETURN(op.beta, OneFloat(n, into, 2, op.beta));
  if (!(op.alpha <= op.beta)) {
    return Expected("min and max", "min at most max", absl::StrCat(op.alpha, " and ", op.beta));
  }
  return ImportActivation(n, into, op);
}

absl::Status ImportGelu(NodeReader& n, Import& into) {
  const std::string approximate = n.String("approximate", "none");
  if (approximate == "none") return ImportActivation(n, into, {ActivationKind::kGelu});
  if (approximate == "tanh") return ImportActivation(n, into, {ActivationKind::kGeluTanh});
  return Expected("attribute 'approximate'", "none or tanh", approximate);
}

absl::Status ImportPow(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const Operand operand, into.Any(n, 1));
  graph::Activation op{ActivationKind::kPow};
  if (const Ints* exponent = std::get_if<Ints>(&operand); exponent != nullptr && exponent->values.size() == 1) {
    op.alpha = static_cast<float>(exponent->values[0]);
  } else {
    RESNETD_ASSIGN_OR_RETURN(op.alpha, OneFloat(n, into, 1, 1));
  }
  return ImportActivation(n, into, op);
}

// The slope is aligned as other constants are, but one value a channel is what networks have. Some exporters write it
// as one axis, which would be aligned with the width; where that is not as long, it can only be what they mean.
absl::Status ImportPRelu(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const WeightsRef slope, into.Floats(n, 1));
  const Dims& dims = into.dims(src);
  if (dims.empty()) return Expected("input", "batch x channels", "batch");
  const int64_t channels = dims[0];
  graph::PRelu op;
  if (slope->data.size() == 1) {
    RESNETD_RETURN_IF_ERROR(into.Spend(channels));
    op.slope = MakeWeights(slope->name, {channels}, std::vector<float>(static_cast<size_t>(channels), slope->data[0]));
    return into.Add(n, std::move(op), {src});
  }
  Dims per_channel(dims.size(), 1);
  per_channel[0] = channels;
  const bool one_axis = slope->dims == Dims{channels} && dims.back() != channels;
  const auto aligned = PerImage(slope, dims.size());
  if (!one_axis && (!aligned.ok() || (*aligned)->dims != per_channel)) {
    return Expected("slope", absl::StrCat("one value, or ", graph::ToString(per_channel)),
                    graph::ToString(slope->dims));
  }
  op.slope = std::get<WeightsRef>(WithDims(slope, {channels}));
  return into.Add(n, std::move(op), {src});
}

}  // namespace resnetd::onnx
