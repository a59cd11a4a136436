#ifndef RESNETD_SERVER_SCHEDULING_BATCHING_H_
#define RESNETD_SERVER_SCHEDULING_BATCHING_H_

#include <cstddef>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "base/time.h"
#include "server/scheduling/cost_model.h"
#include "server/scheduling/policy.h"

// Batches are made of what waits; when all of it will be done can be foretold. Pure functions.
namespace resnetd::scheduling {

struct Candidate {
  Time deadline;
  Duration prepare;
};

struct BatchChoice {
  int count = 0;  // how many candidates to take, from the front
  int size = 0;   // the compiled size that holds them, an index into the cost model
  Why why = Why::kAllWaiting;
  Duration prepare{};  // of the candidates taken, together
};

// Decides how many of the waiting items to run now. `front`: the first min(waiting, costs.largest()) items that wait
// for the model, in order of arrival, at least one. `idle_workers` counts the one that asks. Of `limits`: how much a
// larger batch must pay.
BatchChoice ChooseBatch(const CostModel& costs, absl::Span<const Candidate> front, size_t waiting, int idle_workers,
                        const Limits& limits, Time now);

// The times from now until each worker is free, in ascending order.
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

#endif  // RESNETD_SERVER_SCHEDULING_BATCHING_H_
