#ifndef RESNETD_SERVER_SCHEDULING_COST_MODEL_H_
#define RESNETD_SERVER_SCHEDULING_COST_MODEL_H_

#include <vector>

#include "absl/types/span.h"
#include "server/scheduling/policy.h"

namespace resnetd::scheduling {

// What a batch of each compiled size of one model is expected to take: measured at load, times a slowdown that follows
// what batches really took. A "size" below is an index, 0 for the smallest. Not thread-safe.
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

  // A batch of `size` took `actual` beyond the prepare costs predicted for its items.
  void Correct(int size, Duration actual);

 private:
  struct Entry {
    int batch;
    double measured;  // ns
  };

  std::vector<Entry> entries_;
  double slowdown_ = 1;
};

}  // namespace resnetd::scheduling

#endif  // RESNETD_SERVER_SCHEDULING_COST_MODEL_H_
