// Values stay near 1, or the rounding of a few large ones would hide what happens to the rest: products go through
// tanh, what grows is clipped before.
#include "tests/reference/random_graph.h"

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/reference/graph_builder.h"

namespace resnetd::reference {
namespace {

using graph::Activation;
using graph::ActivationKind;
using graph::Binary;
using graph::BinaryKind;
using graph::Dims;
using graph::ValueId;

class Generator {
 public:
  Generator(uint32_t seed, const RandomGraphOptions& options)
      : rng_(seed), options_(options), b_({1 + Below(4), 5 + Below(9), 5 + Below(9)}, seed), maps_({b_.image()}) {}

  graph::Graph Run() {
    static constexpr std::array kAppend = {
        &Generator::Convolution, &Generator::Convolution,      &Generator::Convolution,
        &Generator::Residual,    &Generator::Residual,         &Generator::Function,
        &Generator::Function,    &Generator::TwoValues,        &Generator::Constant,
        &Generator::Norm,        &Generator::SlopesOfChannels, &Generator::Window,
        &Generator::Gate,        &Generator::OptionA,          &Generator::Join,
        &Generator::Shuffle,     &Generator::Padding,          &Generator::TurnedMap,
    };
    for (int64_t i = 2 + Below(13); i > 0; --i) maps_.push_back((this->*kAppend[Below(kAppend.size())])(Any()));
    const ValueId pooled = b_.Add(graph::Flatten(), {b_.Add(graph::GlobalAveragePool(), {Any()})});
    graph::Graph graph = b_.Finish(b_.Add(b_.Gemm(6, Size(pooled, 0)), {pooled}), pooled);
    std::sort(maps_.begin(), maps_.end());
    maps_.erase(std::unique(maps_.begin(), maps_.end()), maps_.end());
    for (int i = 0; i < options_.outputs && !maps_.empty(); ++i) {
      const auto map = maps_.begin() + Below(maps_.size());
      graph.outputs.push_back({graph.value(*map).name, *map});
      maps_.erase(map);
    }
    return graph;
  }

 private:
  int64_t Below(size_t n) { return static_cast<int64_t>(rng_() % n); }
  bool Coin() { return Below(2) == 0; }
  int64_t Size(ValueId id, size_t axis) const { return b_.dims(id)[axis]; }
  // One of the last three maps.
  ValueId Any() { return maps_[maps_.size() - 1 - static_cast<size_t>(Below(std::min<size_t>(maps_.size(), 3)))]; }
  // Another map of the same size, or the same one.
  ValueId Twin(ValueId id) const {
    for (const ValueId other : maps_) {
      if (other != id && b_.dims(other) == b_.dims(id)) return other;
    }
    return id;
  }
  int64_t Divisor(int64_t n) {
    int64_t d = 1 + Below(static_cast<size_t>(n));
    while (n % d != 0) --d;
    return d;
  }
  ValueId Clip(ValueId src, float low, float high) {
    return b_.Add(Activation{ActivationKind::kClip, low, high}, {src});
  }

  // Any function; roots, powers and exp of values between 0.1 and 2.
  Activation AnyFunction() {
    switch (const auto kind = static_cast<ActivationKind>(Below(20)); kind) {
      case ActivationKind::kClip:
        return {kind, -0.5f, 1};
      case ActivationKind::kLinear:
        return {kind, -0.75f, 0.25f};
      case ActivationKind::kHardSigmoid:
      case ActivationKind::kHardSwish:
        return {kind, 1.0f / 6, 0.5f};
      case ActivationKind::kPow:
        return {kind, 1.5f};
      case ActivationKind::kLeakyRelu:
        return {kind, 0.1f};
      default:
        return {kind, 1};
    }
  }

  ValueId Function(ValueId src) {
    const Activation function = AnyFunction();
    const bool narrow = function.kind == ActivationKind::kPow || function.kind == ActivationKind::kSqrt ||
                        function.kind == ActivationKind::kExp || function.kind == ActivationKind::kLog;
    return b_.Add(function, {narrow ? Clip(src, 0.1f, 2) : src});
  }

  graph::Conv ConvOf(ValueId src, int64_t out, int64_t groups) {
    const int64_t kernel = 1 + 2 * Below(3);
    graph::Conv conv = b_.Conv(out, Size(src, 0) / groups, {kernel, kernel});
    conv.pads = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
    conv.groups = groups;
    if (Coin()) conv.bias = nullptr;
    return conv;
  }

  ValueId Convolution(ValueId src) {
    const int64_t channels = Size(src, 0), groups = Coin() ? 1 : Coin() ? channels : Divisor(channels);
    graph::Conv conv = ConvOf(src, groups == 1 ? 1 + Below(40) : channels, groups);
    conv.strides = {1 + Below(2), 1 + Below(2)};
    return b_.Add(conv, {src});
  }

  ValueId Residual(ValueId src) {
    const ValueId residual = Twin(src);
    const graph::Conv conv = ConvOf(src, Size(src, 0), 1);
    const Activation function = Coin() ? graph::Relu() : Activation{ActivationKind::kSwish, 1};
    if (options_.fused) return b_.Add(conv, {src, residual}, {graph::Add(), function});
    const ValueId branch = b_.Add(conv, {src});
    return b_.Add(function,
                  {Coin() ? b_.Add(graph::Add(), {branch, residual}) : b_.Add(graph::Add(), {residual, branch})});
  }

  ValueId TwoValues(ValueId src) {
    const auto kind = static_cast<BinaryKind>(Below(6));
    ValueId other = Twin(src);
    if (kind == BinaryKind::kDiv) other = Clip(other, 0.5f, 2);
    // Twins may be equal, and a map of zeros would say nothing.
    if (kind == BinaryKind::kSub) other = b_.Add(Activation{ActivationKind::kLinear, -0.75f, 0.25f}, {other});
    const ValueId result = b_.Add(Binary{kind, nullptr}, {src, other});
    return kind == BinaryKind::kMul ? b_.Add(Activation{ActivationKind::kTanh}, {result}) : result;
  }

  ValueId Constant(ValueId src) {
    const Dims& map = b_.dims(src);
    const Dims dims = Coin() ? Dims{map[0], 1, 1} : Coin() ? Dims{1, 1, 1} : Coin() ? map : Dims{1, map[1], map[2]};
    const auto kind = static_cast<BinaryKind>(Below(6));
    const bool reversed = Coin();
    const bool divides = reversed && kind == BinaryKind::kDiv;
    return b_.Add(Binary{kind, b_.Random(dims, 0.5f, 2), reversed}, {divides ? Clip(src, 0.5f, 2) : src});
  }

  ValueId OtherNorm(ValueId src, int64_t channels) {
    if (Coin()) return b_.Add(graph::L2Norm{.axis = Below(3), .floor = 1e-2f, .beside = 0.1f}, {src});
    if (Coin()) return b_.Add(graph::LocalResponseNorm{1 + Below(6), 0.5f, 0.75f, 1}, {src});
    const int64_t axis = Coin() ? 0 : Below(3), size = Size(src, static_cast<size_t>(axis));
    if (Coin()) {
      return b_.Add(graph::LayerNorm{b_.Random({size}, 0.5f, 1.5f), b_.Random({size}, -0.5f, 0.5f), axis, 1e-2f},
                    {src});
    }
    return b_.Add(graph::ResponseNorm{b_.Random({channels}, -0.5f, 0.5f), b_.Random({channels}, -0.5f, 0.5f), 1e-2f},
                  {src});
  }

  ValueId Norm(ValueId src) {
    const int64_t channels = Size(src, 0);
    if (Coin()) return b_.Add(b_.BatchNorm(channels), {src});
    if (Coin()) return OtherNorm(src, channels);
    return b_.Add(graph::GroupNorm{b_.Random({channels}, 0.5f, 1.5f), b_.Random({channels}, -0.5f, 0.5f),
                                   Divisor(channels), 1e-2f},
                  {src});
  }

  ValueId SlopesOfChannels(ValueId src) { return b_.Add(graph::PRelu{b_.Random({Size(src, 0)}, -0.5f, 0.5f)}, {src}); }

  ValueId Window(ValueId src) {
    if (Size(src, 1) < 2 || Size(src, 2) < 2) return Function(src);
    const bool ceil = Coin();
    if (Coin()) return b_.Add(graph::MaxPool{{2, 2}, {1 + Below(2), 1}, {}, {0, 1, 1, 0}, ceil}, {src});
    return b_.Add(graph::AveragePool{{2, 2}, {1 + Below(2), 2}, {0, 1, 1, 0}, ceil, Coin()}, {src});
  }

  ValueId Gate(ValueId src) {
    const int64_t channels = Size(src, 0), narrow = 1 + channels / 4;
    const ValueId pooled = b_.Add(graph::GlobalAveragePool(), {src});
    const ValueId squeezed = b_.Add(graph::Relu(), {b_.Add(b_.Conv(narrow, channels, {1, 1}), {pooled})});
    const ValueId gate =
        b_.Add(Activation{ActivationKind::kSigmoid}, {b_.Add(b_.Conv(channels, narrow, {1, 1}), {squeezed})});
    return b_.Add(Binary{BinaryKind::kMul, nullptr}, {src, gate});
  }

  ValueId OptionA(ValueId src) {
    const Dims dims = b_.dims(src);
    if (dims[1] < 4 || dims[0] > 60) return Function(src);
    const ValueId half = b_.Add(graph::Slice{{0, 0, 0}, {dims[0], dims[1], dims[2]}, {1, 2, 2}}, {src});
    return b_.Add(graph::Pad{{Below(3), 0, 0}, {Below(3), 0, 0}}, {half});
  }

  ValueId Join(ValueId src) {
    const ValueId twin = Twin(src);
    if (Size(src, 0) > 60) return Function(src);
    return b_.Add(graph::Concat{Below(3)}, {src, twin});
  }

  ValueId Shuffle(ValueId src) {
    const Dims dims = b_.dims(src);
    const int64_t groups = Divisor(dims[0]);
    const ValueId split = b_.Add(graph::Reshape{{groups, dims[0] / groups, dims[1], dims[2]}}, {src});
    return b_.Add(graph::Reshape{dims}, {b_.Add(graph::Transpose{{1, 0, 2, 3}}, {split})});
  }

  ValueId Padding(ValueId src) {
    if (Size(src, 1) < 2 || Size(src, 1) > 20 || Size(src, 2) < 2) return Function(src);
    return b_.Add(graph::Pad{{0, 1, 0}, {0, 1, 1}, 0.5f, static_cast<graph::PadMode>(Below(3))}, {src});
  }

  ValueId TurnedMap(ValueId src) { return b_.Add(graph::Transpose{{0, 2, 1}}, {src}); }

  std::mt19937 rng_;
  const RandomGraphOptions options_;
  GraphBuilder b_;
  std::vector<ValueId> maps_;
};

}  // namespace

graph::Graph RandomGraph(uint32_t seed, const RandomGraphOptions& options) {
  return Generator(seed, options).Run();
}

}  // namespace resnetd::reference
