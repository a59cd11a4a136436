// One moving average for all sizes:
//
//   sample    = clamp(actual / measured, slowdown / 2, slowdown * 2)
//   slowdown += (sample - slowdown) / 8
//   predicted = measured * slowdown
//
// One batch that met a page fault or a preemption moves it by an eighth at most; a lasting change is followed.
//
// Why not an average for each size? On a machine that has other work, a preemption costs a batch the same whatever its
// size, and large batches meet more of them. The clamp takes off most of what small batches suffer and little of what
// large ones do, so the small would seem to be the cheaper per image. What makes sizes differ does not change while a
// model is served; what changes, a clock or a neighbour, meets all of them.
//
// The slowdown does not fall below an eighth, which happens when the prepare costs announced for the items exceed what
// the whole batch took.
#include "server/scheduling/cost_model.h"

#include <algorithm>
#include <cassert>

namespace resnetd::scheduling {
namespace {

constexpr double kWeight = 1.0 / 8;
constexpr double kOutlier = 2;
constexpr double kFloor = 1.0 / 8;

}  // namespace

CostModel::CostModel(absl::Span<const BatchCost> measured) {
  assert(!measured.empty());
  for (const BatchCost& m : measured) {
    assert(m.batch > (entries_.empty() ? 0 : entries_.back().batch) && m.cost > Duration::zero());
    entries_.push_back({m.batch, static_cast<double>(m.cost.count())});
  }
}

int CostModel::SizeHolding(size_t items) const {
  int size = 0;
  while (size + 1 < sizes() && static_cast<size_t>(batch(size)) < items) ++size;
  return size;
}

double CostModel::best_per_image() const {
  double best = entries_[0].measured / entries_[0].batch;
  for (const Entry& e : entries_) best = std::min(best, e.measured / e.batch);
  return best * slowdown_;
}

void CostModel::Correct(int size, Duration actual) {
  const double sample = std::clamp(static_cast<double>(actual.count()) / entries_[size].measured, slowdown_ / kOutlier,
                                   slowdown_ * kOutlier);
  slowdown_ = std::max(slowdown_ + (sample - slowdown_) * kWeight, kFloor);
}

}  // namespace resnetd::scheduling
