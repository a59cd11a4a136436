// Normalisations that exporters write in pieces, and near misses, which stay as they are. Images are 3x6x5.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/graph/output_range.h"
#include "engine/passes/passes.h"
#include "gtest/gtest.h"
#include "tests/support/pass_checker.h"

namespace resnetd::passes {
namespace {

using graph::Activation;
using graph::ActivationKind;
using graph::Binary;
using graph::BinaryKind;
using graph::Reduce;
using graph::ReduceKind;
using graph::ValueId;
using B = reference::GraphBuilder;
using Make = std::function<ValueId(B&, ValueId)>;

PassCase OfImage(const char* what, const Make& f, const char* expected) {
  return {what, [f](B& b) { return b.FinishFlat(f(b, b.image())); }, expected};
}

ValueId Two(B& b, BinaryKind kind, ValueId x, ValueId y) {
  return b.Add(Binary{kind, nullptr}, {x, y});
}
ValueId Function(B& b, ActivationKind kind, ValueId x, float alpha = 0, float beta = 0) {
  return b.Add(Activation{kind, alpha, beta}, {x});
}
ValueId Reduced(B& b, ReduceKind kind, ValueId x, absl::InlinedVector<int64_t, 3> axes) {
  return b.Add(Reduce{kind, std::move(axes)}, {x});
}
ValueId AtLeast(B& b, ValueId x, float low) {
  return Function(b, ActivationKind::kClip, x, low, 3.4e38f);
}
ValueId OneOver(B& b, ValueId x) {
  return b.Add(Binary{BinaryKind::kDiv, b.Random({1, 1, 1}, 1, 1), true}, {x});
}
ValueId Root(B& b, ValueId x) {
  return Function(b, ActivationKind::kSqrt, x);
}
ValueId SumOfSquares(B& b, ValueId x, int64_t axis) {
  return Reduced(b, ReduceKind::kSum, Mul(b, x, x), {axis});
}
ValueId Length(B& b, ValueId x, int64_t axis = 0) {
  return Reduced(b, ReduceKind::kL2, x, {axis});
}
ValueId Div(B& b, ValueId x, ValueId y) {
  return Two(b, BinaryKind::kDiv, x, y);
}

TEST(RecogniseNorms, Lengths) {
  CheckPass(
      {
          OfImage(
              "of a node", [](B& b, ValueId x) { return Div(b, x, Length(b, x)); }, "L2Norm, Reshape"),
          OfImage(
              "of the columns", [](B& b, ValueId x) { return Div(b, x, Length(b, x, 2)); }, "L2Norm, Reshape"),
          OfImage(
              "clipped", [](B& b, ValueId x) { return Div(b, x, AtLeast(b, Length(b, x), 1.5f)); }, "L2Norm, Reshape"),
          OfImage(
              "plus", [](B& b, ValueId x) { return Div(b, x, WithScalar(b, Length(b, x), BinaryKind::kAdd, 1)); },
              "L2Norm, Reshape"),
          OfImage(
              "root of a sum", [](B& b, ValueId x) { return Div(b, x, Root(b, SumOfSquares(b, x, 0))); },
              "L2Norm, Reshape"),
          OfImage(
              "power of a sum of powers of magnitudes",
              [](B& b, ValueId x) {
                const ValueId squares = Function(b, ActivationKind::kPow, Function(b, ActivationKind::kAbs, x), 2);
                return Div(b, x, Function(b, ActivationKind::kPow, Reduced(b, ReduceKind::kSum, squares, {1}), 0.5f));
              },
              "L2Norm, Reshape"),
          OfImage(
              "plus inside",
              [](B& b, ValueId x) {
                return Div(b, x, Root(b, WithScalar(b, SumOfSquares(b, x, 0), BinaryKind::kAdd, 2)));
              },
              "L2Norm, Reshape"),
          OfImage(
              "clipped inside",
              [](B& b, ValueId x) { return Div(b, x, Root(b, AtLeast(b, SumOfSquares(b, x, 0), 4))); },
              "L2Norm, Reshape"),
          OfImage(
              "times one over it", [](B& b, ValueId x) { return Mul(b, x, OneOver(b, Length(b, x))); },
              "L2Norm, Reshape"),
          OfImage(
              "its power of -1 times",
              [](B& b, ValueId x) {
                return Mul(b, Function(b, ActivationKind::kPow, AtLeast(b, Length(b, x), 1), -1), x);
              },
              "L2Norm, Reshape"),
          OfImage(
              "power of -1/2 of the sum",
              [](B& b, ValueId x) {
                const ValueId squares = AtLeast(b, SumOfSquares(b, x, 0), 1);
                return Mul(b, x, Function(b, ActivationKind::kPow, squares, -0.5f));
              },
              "L2Norm, Reshape"),
          OfImage(
              "the axis gone and back",
              [](B& b, ValueId x) {
                const ValueId gone = b.Add(graph::Reshape{{6, 5}}, {Length(b, x)});
                return Div(b, x, b.Add(graph::Reshape{{1, 6, 5}}, {AtLeast(b, gone, 1)}));
              },
              "L2Norm, Reshape"),
          OfImage(
              "a length that others read too",
              [](B& b, ValueId x) {
                const ValueId length = Length(b, x);
                return Add(b, Div(b, x, length), length);
              },
              "ReduceL2, L2Norm, Add, Reshape"),
      },
      RecogniseNorms);
}

TEST(RecogniseNorms, VectorsOfLengthOne) {
  struct Case {
    const char* what;
    Make make;
    bool unit;
  };
  const auto vector = [](B& b, ValueId x) { return b.Add(graph::Flatten(), {x}); };
  for (const Case& c : std::vector<Case>{
           {"a vector", [=](B&b, ValueId x) { return b.Add(graph::L2Norm{}, {vector(b, x)}); }, true},
           {"in pieces",
            [=](B&b, ValueId x) {
              const ValueId v = vector(b, x);
              return Div(b, v, AtLeast(b, Length(b, v), 1e-12f));
            },
            true},
           {"a map of one pixel",
            [](B&b, ValueId x) { return b.Add(graph::L2Norm{}, {b.Add(graph::GlobalAveragePool(), {x})}); }, true},
           {"each pixel", [](B&b, ValueId x) { return b.Add(graph::L2Norm{}, {x}); }, false},
           {"single values",
            [](B&b, ValueId x) { return b.Add(graph::L2Norm{1}, {b.Add(graph::GlobalAveragePool(), {x})}); }, false},
           {"in pieces, with the largest half as the bound",
            [=](B&b, ValueId x) {
              const ValueId v = vector(b, x);
              return Div(b, v, Function(b, ActivationKind::kClip, Length(b, v), 1e-12f, 65504));
            },
            true},
           {"a thousandth beside the length",
            [=](B&b, ValueId x) { return b.Add(graph::L2Norm{.beside = 1e-3f}, {vector(b, x)}); }, true},
           {"a thousandth under the root",
            [=](B&b, ValueId x) { return b.Add(graph::L2Norm{.inside = 1e-3f}, {vector(b, x)}); }, false},
           {"a millionth under the root",
            [=](B&b, ValueId x) { return b.Add(graph::L2Norm{.inside = 1e-6f}, {vector(b, x)}); }, true},
           {"a large number beside the length",
            [=](B&b, ValueId x) { return b.Add(graph::L2Norm{.beside = 1}, {vector(b, x)}); }, false},
           {"scaled",
            [=](B&b, ValueId x) { return WithScalar(b, b.Add(graph::L2Norm{}, {vector(b, x)}), BinaryKind::kMul, 64); },
            false},
           {"no norm", vector, false}}) {
    B b({3, 6, 5});
    graph::Graph graph = b.FinishFlat(c.make(b, b.image()));
    ASSERT_TRUE(RecogniseNorms(graph).ok()) << c.what;
    EXPECT_EQ(graph::HasUnitLength(graph, graph.outputs[0].value), c.unit) << c.what;
  }
}

TEST(RecogniseNorms, NoLengths) {
  CheckPass(
      {
          OfImage(
              "of another", [](B& b, ValueId x) { return Div(b, Relu(b, x), Length(b, x)); },
              "ReduceL2, Relu, Div, Reshape"),
          OfImage(
              "over two axes",
              [](B& b, ValueId x) {
                return Div(b, x, Reduced(b, ReduceKind::kL2, x, {1, 2}));
              },
              "ReduceL2, Div, Reshape"),
          OfImage(
              "a sum of values",
              [](B& b, ValueId x) { return Div(b, x, Root(b, AtLeast(b, Reduced(b, ReduceKind::kSum, x, {0}), 1))); },
              "ReduceSum, Clip, Sqrt, Div, Reshape"),
          OfImage(
              "times the length", [](B& b, ValueId x) { return Mul(b, x, Length(b, x)); }, "ReduceL2, Mul, Reshape"),
          OfImage(
              "the length divided", [](B& b, ValueId x) { return Div(b, Length(b, x), AtLeast(b, x, 1)); },
              "Clip, ReduceL2, Div, Reshape"),
          OfImage(
              "clipped from above",
              [](B& b, ValueId x) { return Div(b, x, Function(b, ActivationKind::kClip, Length(b, x), 1, 2)); },
              "ReduceL2, Clip, Div, Reshape"),
          OfImage(
              "plus a value each",
              [](B& b, ValueId x) {
                return Div(b, x, b.Add(Binary{BinaryKind::kAdd, b.Random({1, 6, 5}, 1, 2)}, {Length(b, x)}));
              },
              "ReduceL2, Add, Div, Reshape"),
          OfImage(
              "of the other axis",
              [](B& b, ValueId x) {
                const ValueId image = b.Add(graph::Slice{{0, 0, 0}, {3, 3, 3}, {1, 1, 1}}, {x});
                return Div(b, image, b.Add(graph::Reshape{{3, 1, 3}}, {Length(b, image)}));
              },
              "Slice, ReduceL2, Reshape, Div, Reshape"),
      },
      RecogniseNorms);
}

struct Moments {
  ValueId mean, difference, variance;
};

Moments MomentsOf(B& b, ValueId x, int64_t axis, float epsilon = 1e-3f) {
  const ValueId mean = Reduced(b, ReduceKind::kMean, x, {axis});
  const ValueId difference = Two(b, BinaryKind::kSub, x, mean);
  const ValueId variance = Reduced(b, ReduceKind::kMean, Function(b, ActivationKind::kPow, difference, 2), {axis});
  return {mean, difference, WithScalar(b, variance, BinaryKind::kAdd, epsilon)};
}

ValueId With(B& b, BinaryKind kind, ValueId x, graph::Dims dims, bool reversed = false) {
  return b.Add(Binary{kind, b.Random(std::move(dims), 0.5f, 1.5f), reversed}, {x});
}

ValueId Nine(B& b, ValueId x, int64_t axis, graph::Dims constant) {
  const Moments m = MomentsOf(b, x, axis);
  const ValueId normal = Div(b, m.difference, Root(b, m.variance));
  return With(b, BinaryKind::kAdd, With(b, BinaryKind::kMul, normal, constant), constant);
}

// TensorFlow's batch_normalization with moments of the image.
ValueId OfMoments(B& b, ValueId x, bool scaled) {
  const Moments m = MomentsOf(b, x, 0);
  ValueId k = OneOver(b, Root(b, m.variance));
  if (scaled) k = With(b, BinaryKind::kMul, k, {3, 1, 1});
  return Add(b, Mul(b, x, k), With(b, BinaryKind::kSub, Mul(b, m.mean, k), {3, 1, 1}, true));
}

absl::Status RecogniseAndFold(graph::Graph& graph) {
  const absl::Status status = RecogniseNorms(graph);
  return status.ok() ? FoldAffine(graph) : status;
}

TEST(RecogniseNorms, Layers) {
  CheckPass(
      {
          OfImage(
              "channels",
              [](B& b, ValueId x) {
                return Nine(b, x, 0, {3, 1, 1});
              },
              "LayerNorm, Reshape"),
          OfImage(
              "columns",
              [](B& b, ValueId x) {
                return Nine(b, x, 2, {1, 1, 5});
              },
              "LayerNorm, Reshape"),
          OfImage(
              "a factor along another axis",
              [](B& b, ValueId x) {
                return Nine(b, x, 0, {1, 6, 1});
              },
              "LayerNorm, Mul, Add, Reshape"),
          OfImage(
              "one factor",
              [](B& b, ValueId x) {
                return Nine(b, x, 0, {1, 1, 1});
              },
              "LayerNorm, Reshape"),
          OfImage(
              "the difference twice, times one over the root",
              [](B& b, ValueId x) {
                const Moments m = MomentsOf(b, x, 0);
                return Mul(b, OneOver(b, Root(b, m.variance)), Two(b, BinaryKind::kSub, x, m.mean));
              },
              "LayerNorm, Reshape"),
          OfImage(
              "power of -1/2",
              [](B& b, ValueId x) {
                const Moments m = MomentsOf(b, x, 0);
                return Mul(b, m.difference, Function(b, ActivationKind::kPow, m.variance, -0.5f));
              },
              "LayerNorm, Reshape"),
          OfImage(
              "of moments", [](B& b, ValueId x) { return OfMoments(b, x, true); }, "LayerNorm, Reshape"),
          OfImage(
              "of moments, without a factor", [](B& b, ValueId x) { return OfMoments(b, x, false); },
              "LayerNorm, Reshape"),
      },
      RecogniseAndFold);
}

TEST(RecogniseNorms, NoLayers) {
  CheckPass(
      {
          OfImage(
              "variance of another",
              [](B& b, ValueId x) {
                const Moments m = MomentsOf(b, x, 0);
                return Div(b, m.difference, Root(b, MomentsOf(b, Relu(b, x), 0).variance));
              },
              "ReduceMean, Sub, Relu, ReduceMean, Sub, Pow, ReduceMean, Add, Sqrt, Div, Reshape"),
          OfImage(
              "variance along another axis",
              [](B& b, ValueId x) {
                const Moments m = MomentsOf(b, x, 0);
                return Div(b, m.difference, Root(b, MomentsOf(b, x, 1).variance));
              },
              "ReduceMean, Sub, ReduceMean, Sub, Pow, ReduceMean, Add, Sqrt, Div, Reshape"),
          OfImage(
              "no root",
              [](B& b, ValueId x) {
                const Moments m = MomentsOf(b, x, 0);
                return Div(b, m.difference, m.variance);
              },
              "ReduceMean, Sub, Pow, ReduceMean, Add, Div, Reshape"),
      },
      RecogniseNorms);
}

ValueId Response(B& b, ValueId x, absl::InlinedVector<int64_t, 3> pixels, bool plus_itself, graph::Dims constant) {
  const ValueId length = Reduced(b, ReduceKind::kL2, x, std::move(pixels));
  const ValueId mean = WithScalar(b, Reduced(b, ReduceKind::kMean, length, {0}), BinaryKind::kAdd, 1e-3f);
  const ValueId scaled = With(b, BinaryKind::kMul, Mul(b, x, Div(b, length, mean)), constant);
  const ValueId shifted = With(b, BinaryKind::kAdd, scaled, constant);
  return plus_itself ? Add(b, x, shifted) : shifted;
}

TEST(RecogniseNorms, Responses) {
  constexpr const char* kPieces = "ReduceL2, ReduceMean, Add, Div, Mul, Mul, Add, Add, Reshape";
  CheckPass(
      {
          OfImage(
              "response",
              [](B& b, ValueId x) {
                return Response(b, x, {1, 2}, true, {3, 1, 1});
              },
              "ResponseNorm, Reshape"),
          OfImage(
              "without itself",
              [](B& b, ValueId x) {
                return Response(b, x, {1, 2}, false, {3, 1, 1});
              },
              "ReduceL2, ReduceMean, Add, Div, Mul, Mul, Add, Reshape"),
          OfImage(
              "of rows",
              [](B& b, ValueId x) {
                return Response(b, x, {2}, true, {3, 1, 1});
              },
              kPieces),
          OfImage(
              "a factor a pixel",
              [](B& b, ValueId x) {
                return Response(b, x, {1, 2}, true, {1, 6, 5});
              },
              kPieces),
      },
      RecogniseNorms);
}

TEST(RemoveExpands, Cases) {
  const auto stretched = [](B& b, ValueId x) {
    return b.Add(Binary{BinaryKind::kAdd, b.Random({3, 1, 1}, 0, 0)}, {x});
  };
  CheckPass(
      {
          OfImage(
              "a length", [=](B& b, ValueId x) { return Div(b, x, stretched(b, Length(b, x))); },
              "ReduceL2, Div, Reshape"),
          OfImage(
              "a first operand", [=](B& b, ValueId x) { return Mul(b, stretched(b, Length(b, x)), x); },
              "ReduceL2, Mul, Reshape"),
          OfImage(
              "both operands: one is left",
              [=](B& b, ValueId x) {
                const ValueId length = stretched(b, Length(b, x));
                return Mul(b, length, length);
              },
              "ReduceL2, Add, Mul, Reshape"),
          OfImage(
              "an output", [=](B& b, ValueId x) { return stretched(b, Length(b, x)); }, "ReduceL2, Add, Reshape"),
          OfImage(
              "other values than zeros",
              [](B& b, ValueId x) {
                return Mul(b, x, b.Add(Binary{BinaryKind::kAdd, b.Random({3, 1, 1}, 0, 1)}, {Length(b, x)}));
              },
              "ReduceL2, Add, Mul, Reshape"),
      },
      RemoveExpands);
}

}  // namespace
}  // namespace resnetd::passes
