// A moving average per size:
//
//   sample     = clamp(actual, predicted / 2, predicted * 2)
//   predicted += (sample - predicted) / 8
//
// One batch that met a page fault or a preemption moves it by an eighth at most; a lasting change is followed.
//
// Sizes that were not run follow the one that was, slowly:
//
//   other.predicted += (other.measured * (predicted / measured) - other.predicted) / 64
//
// Without this a spell of slowness seen by one size would shut that size out for good: no longer chosen, it would never
// be measured again. No prediction falls below an eighth of the measurement, which happens when the prepare costs
// announced for the items exceed what the whole batch took.
#include "server/scheduling/cost_model.h"

#include <algorithm>
#include <cassert>

namespace resnetd::scheduling {
namespace {

constexpr double kWeight = 1.0 / 8;
constexpr double kWeightOfOthers = 1.0 / 64;
constexpr double kOutlier = 2;
constexpr double kFloor = 1.0 / 8;

}  // namespace

CostModel::CostModel(absl::Span<const BatchCost> measured) {
  assert(!measured.empty());
  for (const BatchCost& m : measured) {
    assert(m.batch > (entries_.empty() ? 0 : entries_.back().batch) && m.cost > Duration::zero());
    const double cost = static_cast<double>(m.cost.count());
    entries_.push_back({m.batch, cost, cost});
  }
  UpdateBest();
}

int CostModel::SizeHolding(size_t items) const {
  int size = 0;
  while (size + 1 < sizes() && static_cast<size_t>(batch(size)) < items) ++size;
  return size;
}

void CostModel::Correct(int size, Duration actual) {
  Entry& ran = entries_[size];
  const double sample =
      std::clamp(static_cast<double>(actual.count()), ran.predicted / kOutlier, ran.predicted * kOutlier);
  ran.predicted = std::max(ran.predicted + (sample - ran.predicted) * kWeight, ran.measured * kFloor);
  const double slowdown = ran.predicted / ran.measured;
  for (Entry& e : entries_) {
    if (&e != &ran) e.predicted += (e.measured * slowdown - e.predicted) * kWeightOfOthers;
  }
  UpdateBest();
}

void CostModel::UpdateBest() {
  best_per_image_ = entries_[0].predicted / entries_[0].batch;
  for (const Entry& e : entries_) best_per_image_ = std::min(best_per_image_, e.predicted / e.batch);
}

}  // namespace resnetd::scheduling
