// Functions of elements as steps of their own: every activation, every operation of two operands, every way in which
// one is repeated along the other's axes.
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/plan_checker.h"

namespace resnetd::onednn {
namespace {

using graph::Activation;
using graph::ActivationKind;
using graph::Binary;
using graph::BinaryKind;
using graph::ValueId;
using reference::GraphBuilder;

std::string NameOf(const graph::Op& op) {
  return std::string(graph::OpName(op));
}

TEST(PlanElementwise, Activations) {
  for (const Activation& activation : AllActivations()) {
    const Apply apply = [=](GraphBuilder& b, ValueId src) {
      return b.Add(activation, {NeedsPositive(activation) ? AddPositive(b, src) : src});
    };
    const std::string name = NameOf(activation);
    const std::string steps = NeedsPositive(activation) ? absl::StrCat("Clip, ", name) : name;
    CheckPlans(OnBothLayouts(name, {20, 5, 7}, apply, steps));
    CheckPlans({OnDims(name, {33}, apply, steps), OnDims(name, {5, 9}, apply, steps),
                OnDims(name, {2, 3, 4, 5}, apply, steps)});
  }
}

TEST(PlanElementwise, SlopesOfChannels) {
  const Apply apply = [](GraphBuilder& b, ValueId src) {
    return b.Add(graph::PRelu{b.Random({b.dims(src)[0]}, -0.5f, 0.5f)}, {src});
  };
  CheckPlans(OnBothLayouts("PRelu", {20, 5, 7}, apply, "PRelu"));
  CheckPlans(OnBothLayouts("PRelu", {64, 3, 3}, apply, "PRelu"));
  CheckPlans({OnDims("PRelu", {33}, apply, "PRelu"), OnDims("PRelu", {5, 9}, apply, "PRelu"),
              OnDims("PRelu", {2, 3, 4, 5}, apply, "PRelu")});
}

constexpr BinaryKind kKinds[] = {BinaryKind::kAdd, BinaryKind::kSub, BinaryKind::kMul,
                                 BinaryKind::kDiv, BinaryKind::kMax, BinaryKind::kMin};

// Operands that fit a map of 20x5x7.
const graph::Dims kOperands[] = {{1, 1, 1}, {20, 1, 1}, {20, 5, 7}, {1, 5, 7}, {1, 1, 7}, {1, 5, 1}, {20, 1, 7}};

// Why a plain loop of the library's will do.
std::string SlowBecause(BinaryKind kind, bool left, const graph::Dims& dims, bool constant) {
  if (left && !graph::Commutes(kind))
    return "the library repeats its second operand only, and no network wants the first repeated";
  if (dims == graph::Dims{1, 5, 1} || dims == graph::Dims{20, 1, 7}) return "no network repeats along these axes";
  if (dims == graph::Dims{1, 1, 1} && !constant) return "no network has one value an image";
  return "";
}

TEST(PlanElementwise, Constants) {
  for (const BinaryKind kind : kKinds) {
    for (const bool reversed : {false, true}) {
      for (const graph::Dims& dims : kOperands) {
        const Apply apply = [=](GraphBuilder& b, ValueId src) {
          const ValueId x = reversed && kind == BinaryKind::kDiv ? AddPositive(b, src) : src;
          return b.Add(Binary{kind, b.Random(dims, 0.5f, 2), reversed}, {x});
        };
        const std::string name = NameOf(Binary{kind, nullptr});
        CheckPlans(OnBothLayouts(absl::StrCat(name, reversed ? ", reversed, with " : " with ", graph::ToString(dims)),
                                 {20, 5, 7}, apply,
                                 reversed && kind == BinaryKind::kDiv ? absl::StrCat("Clip, ", name) : name,
                                 SlowBecause(kind, reversed, dims, true)));
      }
    }
  }
  constexpr const char* kOutgrown = "no network repeats a value along a constant";
  const auto add = [](graph::Dims dims) -> Apply {
    return [dims](GraphBuilder& b, ValueId src) {
      return b.Add(Binary{BinaryKind::kAdd, b.Random(dims, -1, 1)}, {src});
    };
  };
  CheckPlans(OnBothLayouts("a map repeated along a constant's pixels", {20, 1, 1}, add({20, 5, 7}), "Add", kOutgrown));
  CheckPlans(OnBothLayouts("a map repeated along a constant's channels", {1, 5, 7}, add({20, 5, 7}), "Add", kOutgrown));
  CheckPlans({OnDims("Add", {33}, add({33}), "Add"), OnDims("Add one value", {33}, add({1}), "Add"),
              OnDims("Add", {5, 9}, add({5, 9}), "Add"), OnDims("Add a row", {5, 9}, add({1, 9}), "Add"),
              OnDims("Add a column", {5, 9}, add({5, 1}), "Add"), OnDims("Add", {2, 3, 4, 5}, add({2, 3, 4, 5}), "Add"),
              OnDims("Add one a channel", {2, 3, 4, 5}, add({2, 1, 1, 1}), "Add"),
              OnDims("Add to a row", {1, 9}, add({5, 1}), "Add", kOutgrown)});
}

// Two or three operations in a row, of which all but the first become post-ops, on values of every number of axes and
// with axes of length 1 anywhere.
TEST(PlanElementwise, ChainsOfConstants) {
  constexpr const char* kAnyShape = "of shapes that few networks have";
  for (const graph::Dims& dims : {graph::Dims{24},
                                  {24, 1},
                                  {1, 24},
                                  {6, 4},
                                  {24, 1, 1},
                                  {1, 24, 1},
                                  {1, 1, 24},
                                  {6, 4, 1},
                                  {2, 3, 4},
                                  {24, 1, 1, 1},
                                  {1, 24, 1, 1},
                                  {2, 3, 4, 1},
                                  {24, 1, 1, 1, 1},
                                  {1, 2, 3, 4, 1},
                                  {1, 1, 1, 1, 24}}) {
    graph::Dims channels(dims.size(), 1), one(dims.size(), 1), last(dims.size(), 1);
    channels[0] = dims[0], last.back() = dims.back();
    for (const BinaryKind first : kKinds) {
      for (const BinaryKind second : kKinds) {
        const auto apply = [=](const graph::Dims& a, const graph::Dims& b, const graph::Dims& c) -> Apply {
          return [=](GraphBuilder& builder, ValueId src) {
            graph::PostOps post_ops = {Binary{second, builder.Random(b, 0.5f, 2)}, Activation{ActivationKind::kSigmoid},
                                       Binary{first, builder.Random(c, 0.5f, 2)}};
            return builder.Add(Binary{first, builder.Random(a, 0.5f, 2)}, {src}, std::move(post_ops));
          };
        };
        const std::string a = NameOf(Binary{first, nullptr}), b = NameOf(Binary{second, nullptr});
        const std::string steps = absl::StrCat(a, "+", b, "+Sigmoid+", a),
                          what = absl::StrCat(steps, " of ", graph::ToString(dims));
        CheckPlans({OnDims(what, dims, apply(channels, channels, channels), steps, kAnyShape),
                    OnDims(what, dims, apply(dims, channels, one), steps, kAnyShape),
                    OnDims(what, dims, apply(one, one, channels), steps, kAnyShape),
                    OnDims(what, dims, apply(last, channels, dims), steps, kAnyShape)});
      }
    }
  }
}

// The other operand is cut out of the map itself, so that it has the map's layout.
TEST(PlanElementwise, Values) {
  for (const BinaryKind kind : kKinds) {
    for (const bool swapped : {false, true}) {
      for (const graph::Dims& dims : kOperands) {
        const bool whole = dims == graph::Dims{20, 5, 7};
        const bool divides = kind == BinaryKind::kDiv;
        const Apply apply = [=](GraphBuilder& b, ValueId src) {
          const ValueId map = divides ? AddPositive(b, src) : src;
          const ValueId other = whole ? b.Add(Activation{ActivationKind::kLinear, 0.5f, 3}, {map})
                                      : b.Add(graph::Slice{{0, 0, 0}, {dims[0], dims[1], dims[2]}, {1, 1, 1}}, {map});
          return swapped ? b.Add(Binary{kind, nullptr}, {other, map}) : b.Add(Binary{kind, nullptr}, {map, other});
        };
        const std::string name = NameOf(Binary{kind, nullptr});
        CheckPlans(OnBothLayouts(
            absl::StrCat(name, swapped ? ", first operand " : ", second operand ", graph::ToString(dims)), {20, 5, 7},
            apply, absl::StrCat(divides ? "Clip, " : "", whole ? "Linear, " : "Slice, ", name),
            whole ? "" : SlowBecause(kind, swapped, dims, false)));
      }
    }
  }
}

TEST(PlanElementwise, ValuesThatRepeatEachOther) {
  const auto outer = [](BinaryKind kind, bool reversed) -> Apply {
    return [=](GraphBuilder& b, ValueId src) {
      const ValueId map = AddPositive(b, src);
      const ValueId row = b.Add(graph::Slice{{0, 0, 0}, {20, 1, 1}, {1, 1, 1}}, {map});
      const ValueId column = b.Add(graph::Slice{{0, 0, 0}, {1, 5, 7}, {1, 1, 1}}, {map});
      return b.Add(Binary{kind, nullptr, reversed}, {row, column});
    };
  };
  for (const BinaryKind kind : kKinds) {
    for (const bool reversed : {false, true}) {
      const std::string name = NameOf(Binary{kind, nullptr});
      CheckPlans(OnBothLayouts(absl::StrCat(name, reversed ? ", reversed" : ""), {20, 5, 7}, outer(kind, reversed),
                               absl::StrCat("Clip, Slice, Slice, ", name), "no network repeats both"));
    }
  }
}

TEST(PlanElementwise, OneOfEachLayout) {
  const auto both = [](BinaryKind kind, bool planes_first) -> PlanCase {
    return {absl::StrCat(NameOf(Binary{kind, nullptr}), planes_first ? ", planes first" : ", planes second"),
            {3, 4, 5},
            [=](GraphBuilder& b) {
              const ValueId pixels = AddPositive(b, AddConv(b, b.image(), 3)), planes = AddPositive(b, b.image());
              return b.FinishFlat(planes_first ? b.Add(Binary{kind, nullptr}, {planes, pixels})
                                               : b.Add(Binary{kind, nullptr}, {pixels, planes}));
            },
            absl::StrCat("Conv, Clip, Clip, ", NameOf(Binary{kind, nullptr}))};
  };
  for (const BinaryKind kind : kKinds) CheckPlans({both(kind, false), both(kind, true)});
  CheckPlans({{"a value and itself",
               {3, 4, 5},
               [](GraphBuilder& b) {
                 const ValueId x = AddConv(b, b.image(), 3);
                 return b.FinishFlat(b.Add(graph::Add(), {x, x}));
               },
               "Conv, Add"}});
}

}  // namespace
}  // namespace resnetd::onednn
