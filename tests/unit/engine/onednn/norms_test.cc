// Normalisations along an axis, of vectors and of maps in both layouts.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/plan_checker.h"

namespace resnetd::onednn {
namespace {

using graph::ValueId;
using reference::GraphBuilder;

Apply LayerNorm(int64_t axis) {
  return [=](GraphBuilder& b, ValueId src) {
    const int64_t size = b.dims(src)[static_cast<size_t>(axis)];
    return b.Add(graph::LayerNorm{b.Random({size}, 0.5f, 1.5f), b.Random({size}, -0.5f, 0.5f), axis, 1e-3f}, {src});
  };
}

// Every axis of values of every number of axes.
template <typename Of>
void CheckEveryAxis(const char* step, Of of) {
  for (const graph::Dims& dims : {graph::Dims{33}, {1, 24}, {5, 9}, {20, 5, 7}, {2, 3, 4, 5}}) {
    for (int64_t axis = 0; axis < static_cast<int64_t>(dims.size()); ++axis) {
      const std::string what = absl::StrCat(step, " axis ", axis, " of ", graph::ToString(dims));
      CheckPlans({OnDims(what, dims, of(axis), step)});
      if (dims.size() == 3) CheckPlans(OnBothLayouts(what, dims, of(axis), step));
    }
  }
}

TEST(PlanNorms, Layers) {
  CheckEveryAxis("LayerNorm", LayerNorm);
  CheckPlans(OnBothLayouts("ConvNeXt's", {96, 7, 7}, LayerNorm(0), "LayerNorm"));
  CheckPlans(OnBothLayouts("one pixel", {768, 1, 1}, LayerNorm(0), "LayerNorm"));
}

TEST(PlanNorms, Lengths) {
  CheckEveryAxis("L2Norm", [](int64_t axis) { return One(graph::L2Norm{.axis = axis, .floor = 1e-3f}); });
  CheckPlans({OnDims("inside", {130}, One(graph::L2Norm{.inside = 2}), "L2Norm"),
              OnDims("a floor above the length", {130}, One(graph::L2Norm{.floor = 1000}), "L2Norm"),
              OnDims("beside", {130}, One(graph::L2Norm{.beside = 3}), "L2Norm"),
              OnDims("a long one", {5'000}, One(graph::L2Norm{}), "L2Norm"),
              OnDims("one value", {1}, One(graph::L2Norm{}), "L2Norm")});
}

Apply ResponseNorm() {
  return [](GraphBuilder& b, ValueId src) {
    const int64_t channels = b.dims(src)[0];
    return b.Add(graph::ResponseNorm{b.Random({channels}, -1, 1), b.Random({channels}, -1, 1), 1e-3f}, {src});
  };
}

TEST(PlanNorms, Responses) {
  for (const graph::Dims& map : {graph::Dims{1, 4, 3}, {20, 9, 8}, {96, 14, 14}, {64, 1, 1}, {5, 1, 300}}) {
    CheckPlans(OnBothLayouts("response norm", map, ResponseNorm(), "ResponseNorm"));
  }
}

TEST(PlanNorms, LocalResponses) {
  for (const int64_t size : {1, 2, 5, 6, 30, 100}) {
    const Apply apply = One(graph::LocalResponseNorm{size, 0.5f, 0.75f, 1});
    CheckPlans(OnBothLayouts(absl::StrCat(size, " neighbours"), {20, 5, 7}, apply, "LocalResponseNorm"));
    CheckPlans({OnDims(absl::StrCat(size, " neighbours"), {33}, apply, "LocalResponseNorm"),
                OnDims(absl::StrCat(size, " neighbours"), {5, 9}, apply, "LocalResponseNorm")});
  }
}

// An image's answer is the same whichever of the threads compute it, but for the order of sums over pixels.
TEST(PlanNorms, ByThreads) {
  for (const auto& [what, apply, exactly] : {std::tuple<const char*, Apply, bool>{"layer norm", LayerNorm(0), true},
                                             {"length", One(graph::L2Norm{.floor = 1e-3f}), true},
                                             {"response norm", ResponseNorm(), false},
                                             {"local response norm", One(graph::LocalResponseNorm{5}), true}}) {
    GraphBuilder b({3, 33, 31});
    ExpectEqualsReferenceByThreads(b.FinishFlat(apply(b, AddConv(b, b.image(), 16))), what, exactly);
  }
}

}  // namespace
}  // namespace resnetd::onednn
