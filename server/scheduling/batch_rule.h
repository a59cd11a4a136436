#ifndef RESNETD_SERVER_SCHEDULING_BATCH_RULE_H_
#define RESNETD_SERVER_SCHEDULING_BATCH_RULE_H_

#include <cstddef>

#include "absl/types/span.h"
#include "base/time.h"
#include "server/scheduling/cost_model.h"
#include "server/scheduling/policy.h"

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

}  // namespace resnetd::scheduling

#endif  // RESNETD_SERVER_SCHEDULING_BATCH_RULE_H_
