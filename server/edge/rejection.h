#ifndef RESNETD_SERVER_EDGE_REJECTION_H_
#define RESNETD_SERVER_EDGE_REJECTION_H_

#include <chrono>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/enum_table.h"
#include "server/observe/metrics.h"

namespace resnetd::server {

// Why a request was refused before anything was computed.
enum class Rejection : uint8_t {
  kQueueTime,
  kQueueBytes,
  kDeadline,
  kCallsInFlight,
  kBytesInFlight,
  kMessageSize,
  kRequestSize,
  kDraining,
  kUnauthenticated
};
absl::string_view RejectionName(Rejection reason);  // "queue_time", ...

// RESOURCE_EXHAUSTED, or UNAVAILABLE while draining, with the rejection's name in capitals as the reason: "QUEUE_TIME".
// `retry_after`: how long a client does well to wait.
absl::Status Refused(Rejection rejection, absl::string_view message,
                     std::optional<std::chrono::milliseconds> retry_after = {});

// Counts refusals by their reasons, all of which a scrape shows from the start. Thread-safe; `metrics` outlives it.
class RejectionCounters {
 public:
  explicit RejectionCounters(Metrics& metrics);
  void Count(Rejection rejection) const { counters_[rejection]->Increment(); }

 private:
  EnumTable<Rejection, EventCounter*> counters_;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_REJECTION_H_
