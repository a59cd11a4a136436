// Residual units in graphs: the kind of shortcut, x and F(x), and what is none.
#include "engine/graph/residual.h"

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/reference/graph_builder.h"

namespace resnetd::graph {
namespace {

using reference::GraphBuilder;

// A network in the making; `at` is the value where it ends.
struct Net {
  GraphBuilder b{{3, 16, 16}};
  ValueId at = b.image();

  ValueId Conv(int64_t out, int64_t kernel, ValueId src, int64_t stride = 1, int64_t groups = 1) {
    graph::Conv conv = b.Conv(out, b.dims(src)[0] / groups, {kernel, kernel});
    conv.groups = groups;
    conv.strides = {stride, stride};
    const int64_t pad = kernel / 2;
    conv.pads = {pad, pad, pad, pad};
    return b.Add(std::move(conv), {src});
  }
  ValueId Norm(ValueId src) { return b.Add(b.BatchNorm(b.dims(src)[0]), {src}); }
  ValueId Clamp(ValueId src) { return b.Add(Relu(), {src}); }
  ValueId Layer(int64_t out, int64_t kernel, ValueId src, int64_t stride = 1) {
    return Norm(Conv(out, kernel, src, stride));
  }
  // Two 3x3 layers, the first with the stride.
  ValueId Branch(int64_t out, ValueId src, int64_t stride = 1) {
    return Layer(out, 3, Clamp(Layer(out, 3, src, stride)));
  }
  void Sum(ValueId branch, ValueId shortcut) { at = Clamp(b.Add(graph::Add(), {branch, shortcut})); }
  // 2x2, stride 2.
  ValueId Pool(ValueId src) {
    AveragePool pool;
    pool.kernel = pool.strides = {2, 2};
    return b.Add(pool, {src});
  }
};

// "kind x<F", one a unit; values are called n0, n1, ... in the order in which they were added.
std::string Found(const Graph& graph) {
  return absl::StrJoin(FindResidualUnits(graph), " ", [&](std::string* out, const ResidualUnit& unit) {
    absl::StrAppend(out, Name(unit.shortcut));
    if (unit.shortcut == Shortcut::kNone) return;
    absl::StrAppend(out, " ", graph.value(unit.input).name, "<", graph.value(unit.branch).name);
  });
}

TEST(ResidualUnits, OfEveryKind) {
  struct Case {
    const char* what;
    std::function<void(Net&)> build;
    const char* expected;
  };
  const std::vector<Case> cases = {
      {"no unit at all", [](Net& n) { n.at = n.Clamp(n.Layer(8, 3, n.at)); }, ""},
      {"identity",
       [](Net& n) {
         n.at = n.Clamp(n.Conv(8, 3, n.at));  // n0, n1
         n.Sum(n.Branch(8, n.at), n.at);      // F ends in n6
       },
       "identity n1<n6"},
      {"identity, the operands the other way round",
       [](Net& n) {
         n.at = n.Clamp(n.Conv(8, 3, n.at));
         n.Sum(n.at, n.Branch(8, n.at));
       },
       "identity n1<n6"},
      {"identity before activation (v2)",
       [](Net& n) {
         n.at = n.Conv(8, 3, n.at);  // n0; n1, n2: norm and ReLU of the branch
         const ValueId branch = n.Conv(8, 3, n.Clamp(n.Layer(8, 3, n.Clamp(n.Norm(n.at)))));
         n.at = n.b.Add(Add(), {branch, n.at});
       },
       "identity n0<n6"},
      {"projection",
       [](Net& n) {
         n.at = n.Clamp(n.Conv(8, 3, n.at));
         const ValueId branch = n.Branch(16, n.at, 2);
         n.Sum(branch, n.Layer(16, 1, n.at, 2));
       },
       "projection n1<n6"},
      {"projection that comes first",
       [](Net& n) {
         n.at = n.Clamp(n.Conv(8, 3, n.at));
         const ValueId shortcut = n.Layer(16, 1, n.at, 2);  // n2, n3
         n.Sum(shortcut, n.Branch(16, n.at, 2));
       },
       "projection n1<n8"},
      {"projection of what was activated for both (v2)",
       [](Net& n) {
         n.at = n.Clamp(n.Norm(n.Conv(8, 3, n.at)));  // n2
         const ValueId shortcut = n.Conv(16, 1, n.at, 2);
         n.at = n.b.Add(Add(), {n.Conv(16, 3, n.Clamp(n.Layer(16, 3, n.at, 2))), shortcut});
       },
       "projection n2<n7"},
      {"option A",
       [](Net& n) {
         n.at = n.Clamp(n.Conv(8, 3, n.at));
         const ValueId branch = n.Branch(16, n.at, 2);
         const ValueId half = n.b.Add(Slice{{0, 0, 0}, {8, 16, 16}, {1, 2, 2}}, {n.at});
         n.Sum(branch, n.b.Add(Pad{{4, 0, 0}, {4, 0, 0}}, {half}));
       },
       "padded n1<n6"},
      {"option A by pooling",
       [](Net& n) {
         n.at = n.Clamp(n.Conv(8, 3, n.at));
         const ValueId branch = n.Branch(16, n.at, 2);
         n.Sum(branch, n.b.Add(Pad{{4, 0, 0}, {4, 0, 0}}, {n.Pool(n.at)}));
       },
       "padded n1<n6"},
      {"pooled (ResNet-D)",
       [](Net& n) {
         n.at = n.Clamp(n.Conv(8, 3, n.at));
         const ValueId branch = n.Branch(16, n.at, 2);
         n.Sum(branch, n.Layer(16, 1, n.Pool(n.at)));
       },
       "pooled n1<n6"},
      {"a branch that is scaled by what is pooled of it (SE)",
       [](Net& n) {
         n.at = n.Clamp(n.Conv(8, 3, n.at));
         const ValueId branch = n.Branch(8, n.at);  // n6
         const ValueId squeezed = n.b.Add(GlobalAveragePool(), {branch});
         const ValueId gate =
             n.b.Add(Activation{ActivationKind::kSigmoid}, {n.Conv(8, 1, n.Clamp(n.Conv(2, 1, squeezed)))});
         n.Sum(n.b.Add(Binary{BinaryKind::kMul, nullptr}, {branch, gate}), n.at);  // n12
       },
       "identity n1<n12"},
      {"a shortcut that is a product of two",
       [](Net& n) {
         n.at = n.Clamp(n.Conv(8, 3, n.at));
         const ValueId branch = n.Branch(8, n.at);
         n.Sum(branch, n.b.Add(Binary{BinaryKind::kMul, nullptr}, {n.Clamp(n.at), n.at}));
       },
       "other n1<n6"},
      {"two units",
       [](Net& n) {
         n.at = n.Clamp(n.Conv(8, 3, n.at));
         n.Sum(n.Branch(8, n.at), n.at);  // n7, n8
         n.Sum(n.Branch(8, n.at), n.at);
       },
       "identity n1<n6 identity n8<n13"},
      {"an inverted residual without a plus, then one with it",
       [](Net& n) {
         n.at = n.Clamp(n.Conv(8, 3, n.at));
         const auto inverted = [&](int64_t out, ValueId src) {
           const ValueId wide = n.Clamp(n.Layer(32, 1, src));
           return n.Layer(out, 1, n.Clamp(n.Norm(n.Conv(32, 3, wide, 1, 32))));
         };
         n.at = inverted(12, n.at);  // n9
         n.at = n.b.Add(Add(), {inverted(12, n.at), n.at});
       },
       "none identity n9<n17"},
      {"a fixed filter for each channel (anti-aliasing) ends no unit",
       [](Net& n) {
         n.at = n.Clamp(n.Conv(8, 3, n.at));
         n.at = n.Clamp(n.Layer(8, 3, n.Conv(8, 3, n.at, 2, 8)));
       },
       ""},
      {"x + x",
       [](Net& n) {
         n.at = n.b.Add(Add(), {n.at, n.at});
       },
       ""},
      {"a bias",
       [](Net& n) {
         n.at = n.b.Add(Binary{BinaryKind::kAdd, n.b.Random({3, 1, 1}, -1, 1)}, {n.at});
       },
       ""},
  };
  for (const Case& c : cases) {
    Net net;
    c.build(net);
    const Graph graph = net.b.FinishFlat(net.at);
    EXPECT_EQ(Found(graph), c.expected) << c.what << '\n' << ToString(graph);
  }
}

TEST(ResidualUnits, NodeIsThePlus) {
  Net net;
  net.at = net.Clamp(net.Conv(8, 3, net.at));
  net.Sum(net.Branch(8, net.at), net.at);
  const Graph graph = net.b.FinishFlat(net.at);
  const std::vector<ResidualUnit> units = FindResidualUnits(graph);
  ASSERT_EQ(units.size(), 1u);
  EXPECT_EQ(OpName(graph.nodes[units[0].node].op), "Add");
  EXPECT_EQ(FindPluses(graph), std::vector<int>{units[0].node});
}

TEST(FindPluses, FusedOnesToo) {
  Net net;
  net.at = net.Conv(3, 3, net.at);
  const ValueId residual = net.at;
  const WeightsRef constant = net.b.Random({3, 1, 1}, -1, 1);
  net.at = net.b.Add(net.b.Conv(3, 3, {1, 1}), {net.at, residual}, {Binary{BinaryKind::kAdd, constant}, Add(), Relu()});
  net.at = net.b.Add(Relu(), {net.at});
  net.at = net.b.Add(Add(), {net.at, residual});
  net.at = net.b.Add(Binary{BinaryKind::kMul, nullptr}, {net.at, residual});
  EXPECT_EQ(FindPluses(net.b.FinishFlat(net.at)), (std::vector<int>{1, 3}));
}

}  // namespace
}  // namespace resnetd::graph
