#ifndef RESNETD_SERVER_SCHEDULING_OUTLOOK_H_
#define RESNETD_SERVER_SCHEDULING_OUTLOOK_H_

#include <cstddef>

#include "absl/container/inlined_vector.h"
#include "base/time.h"
#include "server/scheduling/cost_model.h"
#include "server/scheduling/policy.h"

// When work that waits will be done, as far as it can be foretold: pure functions of durations from now.
namespace resnetd::scheduling {

// The times until each worker is free, in ascending order.
using FreeIn = absl::InlinedVector<Duration, 16>;

// The smallest t with sum_i max(0, t - free[i]) >= work. `free`: at least one.
Duration FillLevel(const FreeIn& free, Duration work);

// The queue that a group of one model finds.
struct Line {
  FreeIn free;
  int idle = 0;        // workers that are idle and would share the group among them
  Duration others{};   // work of other models that waits
  size_t ahead = 0;    // items of its own model that wait
  size_t group = 1;    // its own items, at least one
  Duration prepare{};  // of the items ahead and its own, the mean
};

// Returns the time until the group's last item is done, if nothing else arrives and no deadline makes a batch smaller:
// the batches that ChooseBatch() makes of its model's queue and the group go one by one to the worker that is free
// first.
Duration Completion(const CostModel& costs, const Limits& limits, Line line);

}  // namespace resnetd::scheduling

#endif  // RESNETD_SERVER_SCHEDULING_OUTLOOK_H_
