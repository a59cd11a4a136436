// Functions and normalisations that exporters write in pieces, and near misses, which stay as they are.
#include <functional>
#include <utility>

#include "engine/passes/passes.h"
#include "gtest/gtest.h"
#include "tests/support/pass_checker.h"

namespace resnetd::passes {
namespace {

using graph::Activation;
using graph::ActivationKind;
using graph::BinaryKind;
using graph::ValueId;
using reference::GraphBuilder;

ValueId Sigmoid(GraphBuilder& b, ValueId x) {
  return b.Add(Activation{ActivationKind::kSigmoid}, {x});
}
ValueId HardSigmoid(GraphBuilder& b, ValueId x) {
  return b.Add(Activation{ActivationKind::kHardSigmoid, 0.2f, 0.4f}, {x});
}
// clip(x + shift, low, high)
ValueId Clipped(GraphBuilder& b, ValueId x, float shift = 3, float low = 0, float high = 6) {
  return b.Add(Activation{ActivationKind::kClip, low, high}, {WithScalar(b, x, BinaryKind::kAdd, shift)});
}
ValueId Sixth(GraphBuilder& b, ValueId x) {
  return WithScalar(b, x, BinaryKind::kDiv, 6);
}
// 1 + erf(x / by)
ValueId OnePlusErf(GraphBuilder& b, ValueId x, float by = 1.4142135f) {
  const ValueId scaled = WithScalar(b, x, BinaryKind::kDiv, by);
  return WithScalar(b, b.Add(Activation{ActivationKind::kErf}, {scaled}), BinaryKind::kAdd, 1);
}
ValueId Half(GraphBuilder& b, ValueId x) {
  return WithScalar(b, x, BinaryKind::kMul, 0.5f);
}

// sqrt(2 / pi) * (x + by * x^3), the power as a function or as products, or x * (1 + by * x^2)
ValueId PlusCube(GraphBuilder& b, ValueId x, int form, float by = 0.044715f) {
  const ValueId square = Mul(b, x, x);
  ValueId sum;
  if (form == 2) {
    sum = Mul(b, x, WithScalar(b, WithScalar(b, square, BinaryKind::kMul, by), BinaryKind::kAdd, 1));
  } else {
    const ValueId cube = form == 0 ? b.Add(Activation{ActivationKind::kPow, 3}, {x}) : Mul(b, square, x);
    sum = Add(b, x, WithScalar(b, cube, BinaryKind::kMul, by));
  }
  return WithScalar(b, sum, BinaryKind::kMul, 0.7978846f);
}
ValueId OnePlusTanh(GraphBuilder& b, ValueId x, int form = 0, float by = 0.044715f) {
  return WithScalar(b, b.Add(Activation{ActivationKind::kTanh}, {PlusCube(b, x, form, by)}), BinaryKind::kAdd, 1);
}
ValueId Softplus(GraphBuilder& b, ValueId x) {
  return b.Add(Activation{ActivationKind::kSoftplus}, {x});
}

PassCase OfImage(const char* what, const std::function<ValueId(GraphBuilder&, ValueId)>& f, const char* expected) {
  return {what, [f](GraphBuilder& b) { return b.FinishFlat(f(b, b.image())); }, expected};
}

using B = GraphBuilder;

TEST(RecogniseActivations, Pieces) {
  CheckPass(
      {
          OfImage(
              "swish", [](B& b, ValueId x) { return Mul(b, x, Sigmoid(b, x)); }, "Swish, Reshape"),
          OfImage(
              "swish, the other way round", [](B& b, ValueId x) { return Mul(b, Sigmoid(b, x), x); }, "Swish, Reshape"),
          OfImage(
              "hard sigmoid", [](B& b, ValueId x) { return Sixth(b, Clipped(b, x)); }, "HardSigmoid, Reshape"),
          OfImage(
              "hard sigmoid, times a sixth",
              [](B& b, ValueId x) { return WithScalar(b, Clipped(b, x), BinaryKind::kMul, 1.0f / 6); },
              "HardSigmoid, Reshape"),
          OfImage(
              "hard swish", [](B& b, ValueId x) { return Mul(b, x, HardSigmoid(b, x)); }, "HardSwish, Reshape"),
          OfImage(
              "hard swish in all pieces", [](B& b, ValueId x) { return Mul(b, Sixth(b, Clipped(b, x)), x); },
              "HardSwish, Reshape"),
          OfImage(
              "hard swish, divided last", [](B& b, ValueId x) { return Sixth(b, Mul(b, x, Clipped(b, x))); },
              "HardSwish, Reshape"),
          OfImage(
              "gelu, halved last", [](B& b, ValueId x) { return Half(b, Mul(b, x, OnePlusErf(b, x))); },
              "Gelu, Reshape"),
          OfImage(
              "gelu, halved first", [](B& b, ValueId x) { return Mul(b, Half(b, x), OnePlusErf(b, x)); },
              "Gelu, Reshape"),
          OfImage(
              "gelu, the other way round", [](B& b, ValueId x) { return Mul(b, OnePlusErf(b, x), Half(b, x)); },
              "Gelu, Reshape"),
          OfImage(
              "gelu, erf halved", [](B& b, ValueId x) { return Mul(b, x, Half(b, OnePlusErf(b, x))); },
              "Gelu, Reshape"),
          OfImage(
              "gelu, divided by two",
              [](B& b, ValueId x) { return WithScalar(b, Mul(b, OnePlusErf(b, x), x), BinaryKind::kDiv, 2); },
              "Gelu, Reshape"),
          OfImage(
              "gelu by tanh", [](B& b, ValueId x) { return Mul(b, Half(b, x), OnePlusTanh(b, x)); },
              "GeluTanh, Reshape"),
          OfImage(
              "gelu by tanh, x * x * x", [](B& b, ValueId x) { return Half(b, Mul(b, x, OnePlusTanh(b, x, 1))); },
              "GeluTanh, Reshape"),
          OfImage(
              "gelu by tanh, x * (1 + x^2)", [](B& b, ValueId x) { return Mul(b, x, Half(b, OnePlusTanh(b, x, 2))); },
              "GeluTanh, Reshape"),
          OfImage(
              "softplus",
              [](B& b, ValueId x) {
                const ValueId exp = b.Add(Activation{ActivationKind::kExp}, {x});
                return b.Add(Activation{ActivationKind::kLog}, {WithScalar(b, exp, BinaryKind::kAdd, 1)});
              },
              "Softplus, Reshape"),
          OfImage(
              "mish",
              [](B& b, ValueId x) { return Mul(b, x, b.Add(Activation{ActivationKind::kTanh}, {Softplus(b, x)})); },
              "Mish, Reshape"),
          OfImage(
              "two in a row",
              [](B& b, ValueId x) {
                const ValueId y = Mul(b, x, Sigmoid(b, x));
                return Mul(b, y, Sigmoid(b, y));
              },
              "Swish, Swish, Reshape"),
          {"a piece that is an output stays",
           [](B& b) {
             const ValueId gate = Sigmoid(b, b.image());
             graph::Graph g = b.FinishFlat(Mul(b, b.image(), gate));
             g.outputs.push_back({"gate", gate});
             return g;
           },
           "Sigmoid, Swish, Reshape"},
      },
      RecogniseActivations);
}

TEST(RecogniseActivations, NearMisses) {
  CheckPass(
      {
          OfImage(
              "times the sigmoid of another", [](B& b, ValueId x) { return Mul(b, x, Sigmoid(b, Relu(b, x))); },
              "Relu, Sigmoid, Mul, Reshape"),
          OfImage(
              "a sigmoid and itself",
              [](B& b, ValueId x) {
                const ValueId gate = Sigmoid(b, x);
                return Mul(b, gate, gate);
              },
              "Sigmoid, Mul, Reshape"),
          OfImage(
              "plus the sigmoid", [](B& b, ValueId x) { return Add(b, x, Sigmoid(b, x)); }, "Sigmoid, Add, Reshape"),
          OfImage(
              "clipped elsewhere", [](B& b, ValueId x) { return Sixth(b, Clipped(b, x, 3, 0, 5)); },
              "Add, Clip, Div, Reshape"),
          OfImage(
              "clipped from -1", [](B& b, ValueId x) { return Sixth(b, Clipped(b, x, 3, -1, 6)); },
              "Add, Clip, Div, Reshape"),
          OfImage(
              "shifted otherwise", [](B& b, ValueId x) { return Sixth(b, Clipped(b, x, 2)); },
              "Add, Clip, Div, Reshape"),
          OfImage(
              "a fifth", [](B& b, ValueId x) { return WithScalar(b, Clipped(b, x), BinaryKind::kDiv, 5); },
              "Add, Clip, Div, Reshape"),
          OfImage(
              "erf of x / 1.5", [](B& b, ValueId x) { return Half(b, Mul(b, x, OnePlusErf(b, x, 1.5f))); },
              "Div, Erf, Add, Mul, Mul, Reshape"),
          OfImage(
              "another cube", [](B& b, ValueId x) { return Half(b, Mul(b, x, OnePlusTanh(b, x, 1, 0.05f))); },
              "Mul, Mul, Mul, Add, Mul, Tanh, Add, Mul, Mul, Reshape"),
          OfImage(
              "tanh of the softplus of another",
              [](B& b, ValueId x) {
                return Mul(b, x, b.Add(Activation{ActivationKind::kTanh}, {Softplus(b, Relu(b, x))}));
              },
              "Relu, Softplus, Tanh, Mul, Reshape"),
          OfImage(
              "no half", [](B& b, ValueId x) { return Mul(b, x, OnePlusErf(b, x)); }, "Div, Erf, Add, Mul, Reshape"),
          OfImage(
              "half of another",
              [](B& b, ValueId x) {
                const ValueId half = Half(b, Relu(b, x));
                return Mul(b, half, OnePlusErf(b, x));
              },
              "Relu, Mul, Div, Erf, Add, Mul, Reshape"),
      },
      RecogniseActivations);
}

// An instance normalisation of `rows` rows, then a factor and a shift of these dims.
std::function<graph::Graph(B&)> InPieces(graph::Dims rows, int64_t groups, graph::Dims constant) {
  return [=](B& b) {
    const ValueId x = Conv(b, b.image(), 12);
    const ValueId flat = b.Add(graph::Reshape{rows}, {x});
    const ValueId normal =
        b.Add(graph::GroupNorm{b.Random({rows[0]}, 0.5f, 1.5f), b.Random({rows[0]}, -1, 1), groups}, {flat});
    const ValueId back = b.Add(graph::Reshape{{12, 6, 5}}, {normal});
    const ValueId scaled = b.Add(graph::Binary{BinaryKind::kMul, b.Random(constant, 0.5f, 2)}, {back});
    return b.FinishFlat(b.Add(graph::Binary{BinaryKind::kAdd, b.Random(constant, -1, 1)}, {scaled}));
  };
}

TEST(RecogniseGroupNorm, Cases) {
  constexpr const char* kAsItWas = "Conv, Reshape, GroupNorm, Reshape, Mul, Add, Reshape";
  CheckPass(
      {
          {"four groups", InPieces({4, 90}, 4, {12, 1, 1}), "Conv, GroupNorm, Reshape"},
          {"one group", InPieces({1, 360}, 1, {12, 1, 1}), "Conv, GroupNorm, Reshape"},
          {"as many as channels", InPieces({12, 30}, 12, {12, 1, 1}), "Conv, GroupNorm, Reshape"},
          {"rows that are normalised together", InPieces({4, 90}, 2, {12, 1, 1}), kAsItWas},
          {"more rows than channels", InPieces({24, 15}, 24, {12, 1, 1}), kAsItWas},
          {"rows that are no groups of channels", InPieces({8, 45}, 8, {12, 1, 1}), kAsItWas},
          {"one factor for all", InPieces({4, 90}, 4, {1, 1, 1}), kAsItWas},
          {"a factor a pixel", InPieces({4, 90}, 4, {1, 6, 5}), kAsItWas},
          {"a piece that is an output stays",
           [](B& b) {
             graph::Graph g = InPieces({4, 90}, 4, {12, 1, 1})(b);
             g.outputs.push_back({"normal", g.nodes[2].output});
             return g;
           },
           "Conv, Reshape, GroupNorm, GroupNorm, Reshape"},
      },
      RecogniseGroupNorm);
}

}  // namespace
}  // namespace resnetd::passes
