// Exporters write functions in pieces, which are found from the last one:
//
//   swish       x * sigmoid(x)
//   hardsigmoid clip(x + 3, 0, 6) / 6
//   hardswish   x * hardsigmoid(x), or x * clip(x + 3, 0, 6) / 6 with the division last
//   gelu        x * (1 + erf(x / sqrt(2))) * 0.5, the half anywhere
//               x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) * 0.5, the same
//   softplus    log(1 + exp(x))
//   mish        x * tanh(softplus(x))
//
// Those without a group normalisation write one as an instance normalisation of {groups, everything else}:
//
//   x {C,H,W} -> Reshape {G, C/G*H*W} -> InstanceNorm (scale s, shift t) -> Reshape {C,H,W} -> Mul {C,1,1} -> Add
//   {C,1,1}
//
// which is a group normalisation of x with scale[c] = s[g] * mul[c] and shift[c] = t[g] * mul[c] + add[c].
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/passes/passes.h"
#include "engine/passes/uses.h"

namespace resnetd::passes {
namespace {

using graph::Activation;
using graph::ActivationKind;
using graph::BinaryKind;
using graph::ValueId;

struct Found {
  Activation activation;
  ValueId input;
};

// Tells which of the functions a value is.
class Functions {
 public:
  explicit Functions(const Match& match) : match_(match) {}

  std::optional<Found> Find(ValueId id) const {
    for (const auto find : {&Functions::Swish, &Functions::HardSigmoid, &Functions::HardSwish, &Functions::Gelu,
                            &Functions::GeluTanh, &Functions::Softplus, &Functions::Mish}) {
      if (auto found = (this->*find)(id)) return found;
    }
    return std::nullopt;
  }

 private:
  // The two factors of a product of values.
  std::optional<std::pair<ValueId, ValueId>> Factors(ValueId id) const {
    const auto* binary = match_.Get<graph::Binary>(id);
    if (binary == nullptr || binary->kind != BinaryKind::kMul || binary->constant != nullptr) return std::nullopt;
    const auto& inputs = match_.Producer(id)->inputs;
    return std::pair(inputs[0], inputs[1]);
  }

  // x of x * f(x), where `f` says what its argument is a function of.
  template <typename F>
  std::optional<ValueId> TimesFunctionOf(ValueId id, F f) const {
    const auto factors = Factors(id);
    if (!factors) return std::nullopt;
    if (f(factors->second) == factors->first) return factors->first;
    if (f(factors->first) == factors->second) return factors->second;
    return std::nullopt;
  }

  std::optional<ValueId> Half(ValueId id) const {
    if (const auto x = match_.WithScalar(id, BinaryKind::kMul, 0.5f)) return x;
    return match_.WithScalar(id, BinaryKind::kDiv, 2.0f);
  }

  std::optional<ValueId> Sixth(ValueId id) const {
    if (const auto x = match_.WithScalar(id, BinaryKind::kDiv, 6.0f)) return x;
    return match_.WithScalar(id, BinaryKind::kMul, 1.0f / 6);
  }

  // x of clip(x + 3, 0, 6).
  std::optional<ValueId> Clipped(ValueId id) const {
    const auto* clip = match_.Get<Activation>(id);
    if (clip == nullptr || clip->kind != ActivationKind::kClip || clip->alpha != 0 || clip->beta != 6)
      return std::nullopt;
    return match_.WithScalar(match_.Producer(id)->inputs[0], BinaryKind::kAdd, 3.0f);
  }

  std::optional<Found> Swish(ValueId id) const {
    const auto x = TimesFunctionOf(id, [&](ValueId v) { return match_.Activation(v, ActivationKind::kSigmoid); });
    if (!x) return std::nullopt;
    return Found{{ActivationKind::kSwish, 1, 0}, *x};
  }

  std::optional<Found> HardSigmoid(ValueId id) const {
    const auto clipped = Sixth(id);
    const auto x = clipped ? Clipped(*clipped) : std::nullopt;
    if (!x) return std::nullopt;
    return Found{{ActivationKind::kHardSigmoid, 1.0f / 6, 0.5f}, *x};
  }

  std::optional<Found> HardSwish(ValueId id) const {
    const Found sixth{{ActivationKind::kHardSwish, 1.0f / 6, 0.5f}, {}};
    if (const auto product = Sixth(id)) {
      const auto x = TimesFunctionOf(*product, [&](ValueId v) { return Clipped(v); });
      if (x) return Found{sixth.activation, *x};
    }
    const Activation* gate = nullptr;
    const auto x = TimesFunctionOf(id, [&](ValueId v) -> std::optional<ValueId> {
      const auto* activation = match_.Get<Activation>(v);
      if (activation == nullptr || activation->kind != ActivationKind::kHardSigmoid) return std::nullopt;
      gate = activation;
      return match_.Producer(v)->inputs[0];
    });
    if (!x) return std::nullopt;
    return Found{{ActivationKind::kHardSwish, gate->alpha, gate->beta}, *x};
  }

  // x of 1 + erf(x / sqrt(2)).
  std::optional<ValueId> OnePlusErf(ValueId id) const {
    const auto erf = match_.WithScalar(id, BinaryKind::kAdd, 1.0f);
    const auto scaled = erf ? match_.Activation(*erf, ActivationKind::kErf) : std::nullopt;
    if (!scaled) return std::nullopt;
    if (const auto x = match_.WithScalar(*scaled, BinaryKind::kDiv, 1.41421356f)) return x;
    return match_.WithScalar(*scaled, BinaryKind::kMul, 0.70710678f);
  }

  // x of x^2 and of x^3, as powers or products.
  std::optional<ValueId> Power(ValueId id, float exponent) const {
    const auto* power = match_.Get<Activation>(id);
    if (power == nullptr || power->kind != ActivationKind::kPow || power->alpha != exponent) return std::nullopt;
    return match_.Producer(id)->inputs[0];
  }
  std::optional<ValueId> Square(ValueId id) const {
    if (const auto x = Power(id, 2)) return x;
    const auto factors = Factors(id);
    return factors && factors->first == factors->second ? std::optional(factors->first) : std::nullopt;
  }
  std::optional<ValueId> Cube(ValueId id) const {
    if (const auto x = Power(id, 3)) return x;
    return TimesFunctionOf(id, [&](ValueId v) { return Square(v); });
  }

  // x of x + 0.044715 x^3, which is also x * (1 + 0.044715 x^2).
  std::optional<ValueId> PlusCube(ValueId id) const {
    constexpr float kCubes = 0.044715f;
    const auto* sum = match_.Get<graph::Binary>(id);
    if (sum != nullptr && sum->kind == BinaryKind::kAdd && sum->constant == nullptr) {
      const auto& inputs = match_.Producer(id)->inputs;
      for (const size_t i : {size_t{0}, size_t{1}}) {
        const auto cube = match_.WithScalar(inputs[1 - i], BinaryKind::kMul, kCubes);
        if (cube && Cube(*cube) == inputs[i]) return inputs[i];
      }
      return std::nullopt;
    }
    return TimesFunctionOf(id, [&](ValueId v) {
      const auto scaled = match_.WithScalar(v, BinaryKind::kAdd, 1.0f);
      const auto square = scaled ? match_.WithScalar(*scaled, BinaryKind::kMul, kCubes) : std::nullopt;
      return square ? Square(*square) : std::nullopt;
    });
  }

  // x of 1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)).
  std::optional<ValueId> OnePlusTanh(ValueId id) const {
    const auto tanh = match_.WithScalar(id, BinaryKind::kAdd, 1.0f);
    const auto scaled = tanh ? match_.Activation(*tanh, ActivationKind::kTanh) : std::nullopt;
    const auto sum = scaled ? match_.WithScalar(*scaled, BinaryKind::kMul, 0.79788456f) : std::nullopt;
    return sum ? PlusCube(*sum) : std::nullopt;
  }

  // x of x / 2 * f(x), the half anywhere, where `f` says what its argument is that function of.
  template <typename F>
  std::optional<ValueId> HalfTimes(ValueId id, F f) const {
    if (const auto product = Half(id)) {  // (x * f) / 2
      if (const auto x = TimesFunctionOf(*product, f)) return x;
    }
    const auto factors = Factors(id);
    if (!factors) return std::nullopt;
    for (const auto& [a, b] : {*factors, std::pair(factors->second, factors->first)}) {
      const auto half = Half(a);
      if (half && f(b) == half) return half;                              // (x / 2) * f
      if (const auto inner = Half(b); inner && f(*inner) == a) return a;  // x * (f / 2)
    }
    return std::nullopt;
  }

  std::optional<Found> Gelu(ValueId id) const {
    const auto x = HalfTimes(id, [&](ValueId v) { return OnePlusErf(v); });
    if (!x) return std::nullopt;
    return Found{{ActivationKind::kGelu, 0, 0}, *x};
  }

  std::optional<Found> GeluTanh(ValueId id) const {
    const auto x = HalfTimes(id, [&](ValueId v) { return OnePlusTanh(v); });
    if (!x) return std::nullopt;
    return Found{{ActivationKind::kGeluTanh, 0, 0}, *x};
  }

  std::optional<Found> Softplus(ValueId id) const {
    const auto sum = match_.Activation(id, ActivationKind::kLog);
    const auto exp = sum ? match_.WithScalar(*sum, BinaryKind::kAdd, 1.0f) : std::nullopt;
    const auto x = exp ? match_.Activation(*exp, ActivationKind::kExp) : std::nullopt;
    if (!x) return std::nullopt;
    return Found{{ActivationKind::kSoftplus, 0, 0}, *x};
  }

  std::optional<Found> Mish(ValueId id) const {
    const auto x = TimesFunctionOf(id, [&](ValueId v) {
      const auto softplus = match_.Activation(v, ActivationKind::kTanh);
      return softplus ? match_.Activation(*softplus, ActivationKind::kSoftplus) : std::nullopt;
    });
    if (!x) return std::nullopt;
    return Found{{ActivationKind::kMish, 0, 0}, *x};
  }

  const Match& match_;
};

// The constant {C,1,1} of `value op constant`; null if `id` is no such thing.
const graph::Weights* PerChannel(const graph::Graph& graph, const Match& match, ValueId id, BinaryKind kind) {
  const auto* binary = match.Get<graph::Binary>(id);
  if (binary == nullptr || binary->kind != kind || binary->constant == nullptr) return nullptr;
  graph::Dims dims(graph.value(id).dims.size(), 1);
  if (dims.empty()) return nullptr;
  dims[0] = graph.value(id).dims[0];
  return binary->constant->dims == dims ? binary->constant.get() : nullptr;
}

// Turns `node`, the last of the five, into a group normalisation if it is one.
void TurnIntoGroupNorm(const graph::Graph& graph, const Match& match, graph::Node& node) {
  const graph::Weights* add = PerChannel(graph, match, node.output, BinaryKind::kAdd);
  const graph::Weights* mul = add ? PerChannel(graph, match, node.inputs[0], BinaryKind::kMul) : nullptr;
  if (mul == nullptr) return;
  const ValueId back = match.Producer(node.inputs[0])->inputs[0];
  if (match.Get<graph::Reshape>(back) == nullptr) return;
  const ValueId normal = match.Producer(back)->inputs[0];
  const auto* norm = match.Get<graph::GroupNorm>(normal);
  if (norm == nullptr) return;
  const ValueId grouped = match.Producer(normal)->inputs[0];
  if (match.Get<graph::Reshape>(grouped) == nullptr) return;
  const ValueId x = match.Producer(grouped)->inputs[0];
  const size_t channels = add->data.size(), groups = norm->scale->data.size();
  const bool instances = norm->groups == static_cast<int64_t>(groups) && graph.value(grouped).dims[0] == norm->groups;
  if (!instances || channels % groups != 0 || graph.value(x).dims != graph.value(node.output).dims) return;

  std::vector<float> scale(channels), shift(channels);
  for (size_t c = 0; c < channels; ++c) {
    const size_t g = c / (channels / groups);
    scale[c] = norm->scale->data[g] * mul->data[c];
    shift[c] = norm->shift->data[g] * mul->data[c] + add->data[c];
  }
  const auto make = [&](const std::string& name, std::vector<float> data) {
    return graph::MakeWeights(name, {static_cast<int64_t>(channels)}, std::move(data));
  };
  node.op = graph::GroupNorm{make(mul->name, std::move(scale)), make(add->name, std::move(shift)),
                             static_cast<int64_t>(groups), norm->epsilon};
  node.inputs = {x};
}

}  // namespace

absl::Status RecogniseActivations(graph::Graph& graph) {
  const Uses uses(graph);
  const Match match(graph, uses);
  const Functions functions(match);
  for (graph::Node& node : graph.nodes) {
    if (const auto found = functions.Find(node.output)) {
      node.op = found->activation;
      node.inputs = {found->input};
    }
  }
  return RemoveDead(graph);
}

absl::Status RecogniseGroupNorm(graph::Graph& graph) {
  const Uses uses(graph);
  const Match match(graph, uses);
  for (graph::Node& node : graph.nodes) TurnIntoGroupNorm(graph, match, node);
  return RemoveDead(graph);
}

}  // namespace resnetd::passes
