// Pools, reductions and softmax.
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/plan_checker.h"

namespace resnetd::onednn {
namespace {

using graph::AveragePool;
using graph::MaxPool;
using graph::Reduce;
using graph::ReduceKind;
using graph::ValueId;
using reference::GraphBuilder;

constexpr graph::Pads2 kAround = {1, 1, 1, 1};

constexpr const char* kDilated = "the library has no other for dilated pools, and no network has those";

TEST(PlanWindows, MaxPools) {
  struct Row {
    const char* what;
    MaxPool pool;
    const char* slow_because = "";
  };
  const std::vector<Row> rows = {
      {"of ResNet", {{3, 3}, {2, 2}, {}, kAround}},
      {"2x2", {{2, 2}, {2, 2}, {}, {}}},
      {"stride 1", {{3, 3}, {1, 1}, {}, kAround}},
      {"ceil", {{2, 3}, {2, 2}, {}, {}, true}},
      {"ceil with padding", {{3, 3}, {2, 2}, {}, kAround, true}},
      {"dilated", {{2, 2}, {1, 1}, {2, 3}, {}}, kDilated},
      {"dilated with padding", {{3, 3}, {2, 2}, {2, 2}, kAround}, kDilated},
      {"unequal", {{3, 2}, {1, 2}, {}, {2, 0, 0, 1}}},
      {"the whole map", {{9, 8}, {1, 1}, {}, {}}},
      {"one pixel of each window", {{1, 1}, {2, 2}, {}, {}}},
  };
  for (const Row& row : rows) {
    for (const int64_t channels : {3, 20, 64}) {
      CheckPlans(OnBothLayouts(row.what, {channels, 9, 8}, One(row.pool), "MaxPool", row.slow_because));
    }
  }
}

TEST(PlanWindows, AveragePools) {
  struct Row {
    const char* what;
    AveragePool pool;
    const char* steps = "AveragePool";
    const char* slow_because = "";
  };
  const std::vector<Row> rows = {
      {"2x2: the shortcut of ResNet-D", {{2, 2}, {2, 2}, {}}},
      {"2x2, ceil: the same as timm has it", {{2, 2}, {2, 2}, {}, true, false}},
      {"padding", {{3, 3}, {2, 2}, kAround}},
      {"padding counts", {{3, 3}, {2, 2}, kAround, false, true}},
      {"padding behind only", {{2, 2}, {2, 2}, {0, 0, 1, 1}}},
      {"padding behind only counts", {{2, 2}, {2, 2}, {0, 0, 1, 1}, false, true}},
      {"ceil, padding counts, a window hangs over", {{3, 3}, {2, 2}, kAround, true, true}, "AveragePool, AveragePool"},
      {"ceil, nothing to count", {{2, 2}, {2, 2}, {}, true, true}, "AveragePool, AveragePool"},
      {"dilated", {{2, 2}, {1, 1}, {}, false, false, {2, 3}}, "AveragePool", kDilated},
      {"dilated with padding", {{3, 3}, {1, 1}, kAround, false, false, {2, 2}}, "AveragePool", kDilated},
      {"dilated, padding counts", {{3, 3}, {2, 2}, kAround, false, true, {2, 2}}, "AveragePool", kDilated},
      {"dilated, ceil, padding counts",
       {{3, 3}, {2, 2}, kAround, true, true, {2, 1}},
       "AveragePool, AveragePool",
       kDilated},
      {"unequal", {{3, 2}, {1, 2}, {2, 0, 0, 1}}},
      {"the whole map", {{9, 8}, {1, 1}, {}}},
  };
  for (const Row& row : rows) {
    for (const int64_t channels : {3, 20, 64}) {
      CheckPlans(OnBothLayouts(row.what, {channels, 9, 8}, One(row.pool), row.steps, row.slow_because));
    }
  }
}

TEST(PlanWindows, Reductions) {
  constexpr const char* kLoop = "the library's reduction is a plain loop; no network reduces so within";
  for (const ReduceKind kind : {ReduceKind::kMean, ReduceKind::kMax, ReduceKind::kSum, ReduceKind::kL2}) {
    const std::string name = std::string(graph::OpName(Reduce{kind, {0}}));
    const bool pool = kind == ReduceKind::kMean || kind == ReduceKind::kMax;
    for (const int64_t channels : {3, 20, 64}) {
      CheckPlans(OnBothLayouts(name, {channels, 9, 8}, One(Reduce{kind, {1, 2}}), name, pool ? "" : kLoop));
    }
    CheckPlans(OnBothLayouts(absl::StrCat(name, " of one pixel"), {20, 1, 1}, One(Reduce{kind, {1, 2}}), name));
    for (const absl::InlinedVector<int64_t, 3>& axes :
         std::vector<absl::InlinedVector<int64_t, 3>>{{0}, {1}, {2}, {0, 1}, {0, 2}, {0, 1, 2}}) {
      CheckPlans(OnBothLayouts(absl::StrCat(name, " over ", graph::ToString(axes)), {20, 5, 7}, One(Reduce{kind, axes}),
                               name, kLoop));
    }
    CheckPlans({OnDims(name, {33}, One(Reduce{kind, {0}}), name, kLoop),
                OnDims(name, {5, 9}, One(Reduce{kind, {0}}), name, kLoop),
                OnDims(name, {5, 9}, One(Reduce{kind, {1}}), name, kLoop),
                OnDims(name, {2, 3, 4, 5}, One(Reduce{kind, {2, 3}}), name, kLoop)});
  }
}

TEST(PlanWindows, Softmaxes) {
  for (const int64_t axis : {0, 1, 2}) {
    CheckPlans(OnBothLayouts(absl::StrCat("softmax along ", axis), {20, 5, 7}, One(graph::Softmax{axis}), "Softmax",
                             axis == 0 ? "" : "no network has scores along its pixels"));
    CheckPlans({OnDims(absl::StrCat("softmax along ", axis), {4, 3, 2, 5}, One(graph::Softmax{axis}), "Softmax")});
  }
  CheckPlans({OnDims("softmax", {10}, One(graph::Softmax{0}), "Softmax"),
              OnDims("softmax", {1000}, One(graph::Softmax{0}), "Softmax"),
              OnDims("softmax along 0", {5, 9}, One(graph::Softmax{0}), "Softmax"),
              OnDims("softmax along 1", {5, 9}, One(graph::Softmax{1}), "Softmax")});
}

// A transpose leaves such a layout: neither planes nor pixels.
TEST(PlanWindows, OfTransposedMaps) {
  const auto behind = [](const auto& op) -> Apply {
    return [op](GraphBuilder& b, ValueId src) { return b.Add(op, {b.Add(graph::Transpose{{1, 2, 0}}, {src})}); };
  };
  const graph::Dims map = {6, 16, 7};
  std::vector<PlanCase> cases;
  const auto add = [&](const char* what, const Apply& apply, const char* steps) {
    for (PlanCase& c : OnBothLayouts(what, map, apply, steps)) cases.push_back(std::move(c));
  };
  add("max pool", behind(MaxPool{{3, 3}, {2, 2}, {}, kAround}), "MaxPool");
  add("average pool", behind(AveragePool{{2, 2}, {2, 2}, {}}), "AveragePool");
  add("global average pool", behind(graph::GlobalAveragePool()), "ReduceMean");
  add("softmax", behind(graph::Softmax{0}), "Softmax");
  add("relu", behind(graph::Relu()), "Relu");
  CheckPlans(cases);
}

}  // namespace
}  // namespace resnetd::onednn
