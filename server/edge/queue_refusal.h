#ifndef RESNETD_SERVER_EDGE_QUEUE_REFUSAL_H_
#define RESNETD_SERVER_EDGE_QUEUE_REFUSAL_H_

#include "absl/status/status.h"
#include "base/time.h"
#include "server/edge/gate.h"
#include "server/scheduling/policy.h"

namespace resnetd::server {

// Puts a refusal of the scheduler's, for its bytes, its time or the deadline, into words and counts it. `left`: until
// the deadline.
absl::Status QueueRefusal(const scheduling::Verdict& verdict, const scheduling::Limits& limits, Duration left,
                          const RejectionCounters& rejections);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_QUEUE_REFUSAL_H_
