// One moving average for all sizes:
//
//   sample    = clamp(actual / measured, slowdown / 2, slowdown * 2)
//   slowdown += (sample - slowdown) / 8
//   predicted = measured * slowdown
//
// One batch that met a page fault or a preemption moves it by an eighth at most; a lasting change is followed. Four
// rules keep a slowdown that is over from shutting the server:
//
//   a stall      A batch of more than four times the prediction counts only if the one before it was as long: the
//                process was stopped, or its share of a core used up, and that is no cost of the model. Batches that
//                ran side by side met the same stall.
//   fast         No batch is fast by accident. One that took less than half of the prediction halves the slowdown,
//                as far as it is above 1.
//   fading       While no batch runs nothing is learnt, and what was learnt gets old: the excess over 1 halves with
//                every second. While one runs, it does not: a busy server is told by its batches.
//   a bad load   Below 1 the slowdown does not fade. What was measured at load may have been too much.
//
// Why not an average for each size? On a machine that has other work, a preemption costs a batch the same whatever its
// size, and large batches meet more of them. The clamp takes off most of what small batches suffer and little of what
// large ones do, so the small would seem to be the cheaper per image. What makes sizes differ does not change while a
// model is served; what changes, a clock or a neighbour, meets all of them.
//
// The slowdown does not fall below 1/32. It gets there when the prepare costs announced for the items exceed what the
// whole batch took, and should get as far as 1/20, as a load at a twentieth of a core may have measured too much.
#include "server/scheduling/cost_model.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace resnetd::scheduling {
namespace {

constexpr double kWeight = 1.0 / 8;
constexpr double kCompanyWeight = 1.0 / 4;
constexpr double kOutlier = 2;
constexpr double kStall = 4;
constexpr double kFloor = 1.0 / 32;
constexpr std::chrono::duration<double> kHalfLife = std::chrono::seconds(1);  // of the excess, while nothing runs

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

void CostModel::Advance(Time now) {
  if (running_ > 0 || (unfaded_ <= 1 && unfaded_company_ <= 1)) return;
  const double left = std::exp2(-(now - since_) / kHalfLife);
  if (unfaded_ > 1) slowdown_ = 1 + (unfaded_ - 1) * left;
  company_ = 1 + (unfaded_company_ - 1) * left;
}

void CostModel::Start(size_t waiting, Time now) {
  Advance(now);
  const auto most = static_cast<size_t>(largest()) * 2;
  company_ += (static_cast<double>(std::min(waiting, most)) - company_) * kCompanyWeight;
  unfaded_company_ = company_;
  unfaded_ = slowdown_;
  ++running_;
}

void CostModel::Finish(int size, Duration actual, Time start, Time now) {
  --running_;
  since_ = now;
  const double ratio = static_cast<double>(actual.count()) / entries_[size].measured;
  if (ratio > slowdown_ * kStall) {
    if (start < stall_end_) return;
    stall_end_ = now;
    if (!std::exchange(stalled_, true)) return;
  } else {
    stalled_ = false;
  }
  const double sample = std::clamp(ratio, slowdown_ / kOutlier, slowdown_ * kOutlier);
  double next = slowdown_ + (sample - slowdown_) * kWeight;
  if (ratio < slowdown_ / kOutlier) next = std::min(next, std::max(slowdown_ / 2, 1.0));
  slowdown_ = unfaded_ = std::max(next, kFloor);
}

}  // namespace resnetd::scheduling
