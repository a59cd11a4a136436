#ifndef RESNETD_SERVER_SCHEDULING_COST_MODEL_H_
#define RESNETD_SERVER_SCHEDULING_COST_MODEL_H_

#include <cmath>
#include <vector>

#include "absl/types/span.h"
#include "base/time.h"
#include "server/scheduling/policy.h"

namespace resnetd::scheduling {

// Predicts the time of a batch of each compiled size of one model: measured at load, times a slowdown that follows
// what batches really took, and of which the excess over 1 fades while none runs. A "size" below is an index, 0 for the
// smallest. Costs are as of the last call that was told the time, which never goes back. Not thread-safe.
class CostModel {
 public:
  // `measured`: at least one; batch sizes ascending and > 0, costs > 0.
  explicit CostModel(absl::Span<const BatchCost> measured);

  int sizes() const { return static_cast<int>(entries_.size()); }
  int batch(int size) const { return entries_[size].batch; }
  int largest() const { return entries_.back().batch; }
  Duration cost(int size) const { return Duration(static_cast<Duration::rep>(entries_[size].measured * slowdown_)); }
  // The smallest size that holds `items`, or the largest size if none does.
  int SizeHolding(size_t items) const;
  // The lowest time per image of any size, in ns.
  double best_per_image() const;

  // Tells how many items waited lately when a batch started, at least 1 and at most twice the largest batch: to those
  // that wait now others will have come when their batch starts.
  int company() const { return static_cast<int>(std::lround(company_)); }

  // Lets the excess fade until `now`.
  void Advance(Time now);
  // A batch starts, for which `waiting` items waited. Advances, too.
  void Start(size_t waiting, Time now);
  // A batch of `size` that started at `start` took `actual` beyond the prepare costs predicted for its items.
  void Finish(int size, Duration actual, Time start, Time now);

 private:
  struct Entry {
    int batch;
    double measured;  // ns
  };

  std::vector<Entry> entries_;
  double slowdown_ = 1;
  double company_ = 1;
  double unfaded_ = 1, unfaded_company_ = 1;  // at since_
  Time since_;                                // when the last batch ended
  int running_ = 0;
  bool stalled_ = false;          // the last batch took so long that it may have been a stall
  Time stall_end_ = Time::min();  // of the last that did, and was not part of the same stall as one before
};

}  // namespace resnetd::scheduling

#endif  // RESNETD_SERVER_SCHEDULING_COST_MODEL_H_
