// Tests operators that only move elements: views where they can be, one copy where they cannot.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/plan_checker.h"

namespace resnetd::onednn {
namespace {

using graph::Concat;
using graph::Dims;
using graph::Pad;
using graph::PadMode;
using graph::Reshape;
using graph::Slice;
using graph::Transpose;
using graph::ValueId;
using reference::GraphBuilder;

// The operators one after the other.
Apply Chain(std::vector<graph::Op> ops) {
  return [ops = std::move(ops)](GraphBuilder& b, ValueId src) {
    for (const graph::Op& op : ops) src = b.Add(op, {src});
    return src;
  };
}

TEST(PlanMoves, Views) {
  for (const auto& [what, ops] : std::vector<std::pair<const char*, std::vector<graph::Op>>>{
           {"flatten", {graph::Flatten()}},
           {"two axes and back", {Reshape{{20, 35}}, Reshape{{20, 5, 7}}}},
           {"five axes", {Reshape{{4, 5, 5, 7}}}},
           {"another map", {Reshape{{7, 20, 5}}}},
           {"a new axis in front", {Reshape{{1, 20, 5, 7}}, Reshape{{-1}}}},
           {"to the back and to the front", {Transpose{{1, 2, 0}}, Transpose{{2, 0, 1}}}},
           {"channels last", {Transpose{{1, 2, 0}}}},
           {"rows for columns", {Transpose{{0, 2, 1}}}},
           {"channel shuffle", {Reshape{{4, 5, 5, 7}}, Transpose{{1, 0, 2, 3}}, Reshape{{20, 5, 7}}}},
           {"a transpose that is flattened", {Transpose{{2, 0, 1}}, graph::Flatten()}},
           {"twice round", {Transpose{{1, 2, 0}}, Transpose{{1, 2, 0}}, Transpose{{1, 2, 0}}}},
       }) {
    CheckPlans(OnBothLayouts(what, {20, 5, 7}, Chain(ops), ""));
  }
  CheckPlans({OnDims("a matrix", {6, 11}, Chain({Transpose{{1, 0}}}), ""),
              OnDims("five axes", {2, 3, 4, 5}, Chain({Transpose{{3, 1, 0, 2}}}), "")});
}

int Reorders(const graph::Graph& graph) {
  const auto engine = CompileFor(graph, {1}, 1);
  EXPECT_TRUE(engine.ok()) << engine.status();
  int reorders = 0;
  for (const StepInfo& step : (*engine)->Describe(1)) reorders += step.op == "Reorder" ? 1 : 0;
  return reorders;
}

TEST(PlanMoves, CostNothingWhereTheOrderStays) {
  struct Case {
    const char* what;
    Dims image;
    std::function<graph::Graph(GraphBuilder&)> build;
    int reorders;
  };
  const auto pooled = [](GraphBuilder& b, ValueId map) {
    return b.FinishFlat(b.Add(graph::GlobalAveragePool(), {map}));
  };
  const std::vector<Case> cases = {
      {"flattened planes", {3, 4, 5}, [](GraphBuilder& b) { return b.FinishFlat(b.image()); }, 0},
      {"a pooled map", {3, 4, 5}, [&](GraphBuilder& b) { return pooled(b, b.image()); }, 0},
      {"a pooled map behind convolutions",
       {16, 4, 5},
       [&](GraphBuilder& b) { return pooled(b, AddConv(b, AddConv(b, AddConv(b, b.image(), 32), 32), 32)); },
       1},
      {"an image whose pixels come first, as TensorFlow has it",
       {8, 9, 16},
       [&](GraphBuilder& b) {
         return pooled(b, AddConv(b, b.Add(Transpose{{2, 0, 1}}, {b.image()}), 32));
       },
       0},
      {"a gate a channel",
       {16, 4, 5},
       [&](GraphBuilder& b) {
         const ValueId x = AddConv(b, AddConv(b, b.image(), 32), 32);
         const ValueId gate = AddConv(b, b.Add(graph::GlobalAveragePool(), {x}), 32, 1);
         return pooled(b, b.Add(graph::Binary{graph::BinaryKind::kMul, nullptr}, {x, gate}));
       },
       1},
  };
  for (const Case& c : cases) {
    GraphBuilder b(c.image);
    EXPECT_LE(Reorders(c.build(b)), c.reorders) << c.what;
  }
}

// A value and another of other size along `axis`, and the first again.
Apply JoinAlong(int64_t axis, int64_t size) {
  return [=](GraphBuilder& b, ValueId src) {
    const Dims& dims = b.dims(src);
    Slice part;
    for (size_t i = 0; i < dims.size(); ++i) {
      part.start.push_back(0);
      part.end.push_back(static_cast<int64_t>(i) == axis ? size : dims[i]);
      part.step.push_back(1);
    }
    return b.Add(Concat{axis}, {src, b.Add(part, {src}), src});
  };
}

constexpr const char* kCopies = "joined by the library's reorders, one a part";

TEST(PlanMoves, Concats) {
  for (const int64_t axis : {0, 1, 2}) {
    const std::string what = absl::StrCat("concat along ", axis);
    CheckPlans(OnBothLayouts(what, {20, 5, 7}, JoinAlong(axis, 3), "Slice, Concat", kCopies));
    CheckPlans(OnBothLayouts(what, {64, 4, 4}, JoinAlong(axis, 4), "Slice, Concat", kCopies));
  }
  CheckPlans({OnDims("concat", {33}, JoinAlong(0, 5), "Slice, Concat", kCopies),
              OnDims("concat rows", {5, 9}, JoinAlong(0, 1), "Slice, Concat", kCopies),
              OnDims("concat columns", {5, 9}, JoinAlong(1, 4), "Slice, Concat", kCopies)});
  CheckPlans({{"one of each layout",
               {3, 4, 5},
               [](GraphBuilder& b) {
                 return b.FinishFlat(b.Add(Concat{0}, {b.image(), AddConv(b, b.image(), 7), b.image()}));
               },
               "Conv, Concat",
               kCopies},
              {"of five axes",
               {1, 1, 120},
               [](GraphBuilder& b) {
                 const ValueId x = b.Add(Reshape{{2, 3, 4, 5}}, {b.image()});
                 return b.FinishFlat(b.Add(Concat{2}, {x, b.Add(graph::Relu(), {x})}));
               },
               "Relu, Concat",
               kCopies}});
}

TEST(PlanMoves, Slices) {
  for (const auto& [what, slice] :
       std::vector<std::pair<const char*, Slice>>{{"every second pixel", {{0, 0, 0}, {20, 5, 7}, {1, 2, 2}}},
                                                  {"half of the channels", {{10, 0, 0}, {20, 5, 7}, {1, 1, 1}}},
                                                  {"every axis", {{1, 2, 0}, {19, 5, 6}, {3, 1, 2}}},
                                                  {"one element", {{19, 4, 6}, {20, 5, 7}, {1, 1, 1}}},
                                                  {"everything", {{0, 0, 0}, {20, 5, 7}, {1, 1, 1}}}}) {
    CheckPlans(OnBothLayouts(what, {20, 5, 7}, One(slice), "Slice"));
  }
  CheckPlans({OnDims("slice", {33}, One(Slice{{3}, {30}, {4}}), "Slice"),
              OnDims("slice", {5, 9}, One(Slice{{1, 2}, {5, 9}, {3, 2}}), "Slice")});
  CheckPlans({{"a split into three, joined in another order",
               {12, 4, 5},
               [](GraphBuilder& b) {
                 absl::InlinedVector<ValueId, 2> parts;
                 for (const int64_t start : {7, 0, 3}) {
                   parts.push_back(b.Add(Slice{{start, 0, 0},
                                               {start == 0   ? 3
                                                : start == 3 ? 7
                                                             : 12,
                                                4, 5},
                                               {1, 1, 1}},
                                         {b.image()}));
                 }
                 return b.FinishFlat(b.Add(Concat{0}, parts));
               },
               "Slice, Slice, Slice, Concat",
               kCopies}});
}

TEST(PlanMoves, Pads) {
  for (const auto& [what, pad] : std::vector<std::pair<const char*, Pad>>{
           {"zeros", {{0, 1, 2}, {0, 2, 1}}},
           {"another value", {{0, 1, 1}, {0, 1, 1}, -0.25f}},
           {"channels", {{5, 0, 0}, {7, 0, 0}}},
           {"every axis", {{1, 0, 2}, {0, 3, 1}, 1.5f}},
           {"mirrored", {{0, 1, 2}, {0, 2, 1}, 0, PadMode::kReflect}},
           {"mirrored as far as it goes", {{0, 4, 6}, {0, 4, 6}, 0, PadMode::kReflect}},
           {"mirrored channels", {{3, 0, 0}, {19, 1, 0}, 0, PadMode::kReflect}},
           {"repeated", {{0, 1, 2}, {0, 2, 1}, 0, PadMode::kEdge}},
           {"repeated far and along every axis", {{2, 9, 1}, {3, 1, 9}, 0, PadMode::kEdge}},
           {"nothing", {{0, 0, 0}, {0, 0, 0}}}}) {
    CheckPlans(OnBothLayouts(what, {20, 5, 7}, One(pad), "Pad"));
  }
  for (const PadMode mode : {PadMode::kConstant, PadMode::kReflect, PadMode::kEdge}) {
    CheckPlans(
        {OnDims(absl::StrCat("mode ", static_cast<int>(mode)), {33}, One(Pad{{3}, {5}, 2, mode}), "Pad"),
         OnDims(absl::StrCat("mode ", static_cast<int>(mode)), {5, 9}, One(Pad{{1, 0}, {2, 8}, 2, mode}), "Pad")});
  }
}

TEST(PlanMoves, SlicesThatArePadded) {
  const Slice second = {{0, 0, 0}, {20, 5, 7}, {1, 2, 2}}, every = {{1, 0, 3}, {18, 4, 7}, {2, 3, 2}};
  const auto check = [](const char* what, std::vector<graph::Op> ops, const char* steps) {
    CheckPlans(OnBothLayouts(what, {20, 5, 7}, Chain(std::move(ops)), steps));
  };
  check("option A: one copy", {second, Pad{{10, 0, 0}, {10, 0, 0}}}, "Pad");
  check("every axis: one copy", {every, Pad{{1, 2, 0}, {0, 1, 3}, 1.5f}}, "Pad");
  check("mirrored: what is mirrored is the crop", {every, Pad{{1, 1, 0}, {0, 1, 1}, 0, PadMode::kReflect}},
        "Slice, Pad");
  check("repeated: what is repeated is the crop", {every, Pad{{1, 2, 0}, {0, 1, 3}, 0, PadMode::kEdge}}, "Slice, Pad");
  CheckPlans({{"a slice with two readers, one a pad",
               {4, 6, 6},
               [](GraphBuilder& b) {
                 const ValueId x = b.Add(Slice{{0, 0, 0}, {4, 6, 6}, {1, 2, 2}}, {b.image()});
                 const ValueId y = b.Add(Pad{{0, 0, 0}, {4, 0, 0}, 0}, {x});
                 return b.FinishFlat(b.Add(graph::Add(), {AddConv(b, x, 8), y}));
               },
               "Slice, Pad, Conv, Add"}});
}

// Blur and crop of anti-aliased networks: mirrored, then a depthwise convolution.
TEST(PlanMoves, MirroredForABlur) {
  CheckPlans({{"blur",
               {16, 8, 9},
               [](GraphBuilder& b) {
                 const ValueId x = AddConv(b, b.image(), 24);
                 graph::Conv blur = b.Conv(24, 1, {3, 3});
                 blur.groups = 24;
                 blur.strides = {2, 2};
                 blur.bias = nullptr;
                 return b.FinishFlat(b.Add(blur, {b.Add(Pad{{0, 1, 1}, {0, 1, 1}, 0, PadMode::kReflect}, {x})}));
               },
               "Conv, Pad, Conv"}});
}

}  // namespace
}  // namespace resnetd::onednn
