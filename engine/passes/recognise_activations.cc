// Functions that exporters write in pieces, found from their last piece:
//
//   swish       x * sigmoid(x)
//   hardsigmoid clip(x + 3, 0, 6) / 6
//   hardswish   x * hardsigmoid(x), or x * clip(x + 3, 0, 6) / 6 with the division last
//   gelu        x * (1 + erf(x / sqrt(2))) * 0.5, the half anywhere
#include <optional>
#include <utility>

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

class Recogniser {
 public:
  explicit Recogniser(const Match& match) : match_(match) {}

  std::optional<Found> Find(ValueId id) const {
    for (const auto find : {&Recogniser::Swish, &Recogniser::HardSigmoid, &Recogniser::HardSwish, &Recogniser::Gelu}) {
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

  std::optional<Found> Gelu(ValueId id) const {
    std::optional<ValueId> x;
    if (const auto product = Half(id)) {  // (x * (1 + erf)) / 2
      x = TimesFunctionOf(*product, [&](ValueId v) { return OnePlusErf(v); });
    }
    if (const auto factors = x ? std::nullopt : Factors(id)) {
      for (const auto& [a, b] : {*factors, std::pair(factors->second, factors->first)}) {
        const auto half = Half(a);
        if (half && OnePlusErf(b) == half) x = half;                              // (x / 2) * (1 + erf)
        if (const auto inner = Half(b); inner && OnePlusErf(*inner) == a) x = a;  // x * ((1 + erf) / 2)
      }
    }
    if (!x) return std::nullopt;
    return Found{{ActivationKind::kGelu, 0, 0}, *x};
  }

  const Match& match_;
};

}  // namespace

absl::Status RecogniseActivations(graph::Graph& graph) {
  const Uses uses(graph);
  const Match match(graph, uses);
  const Recogniser recogniser(match);
  for (graph::Node& node : graph.nodes) {
    if (const auto found = recogniser.Find(node.output)) {
      node.op = found->activation;
      node.inputs = {found->input};
    }
  }
  return RemoveDead(graph);
}

}  // namespace resnetd::passes
