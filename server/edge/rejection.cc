#include "server/edge/rejection.h"

#include "absl/strings/ascii.h"
#include "server/edge/error.h"

namespace resnetd::server {
namespace {

constexpr EnumTable<Rejection, absl::string_view> kNames = {"queue_time",      "queue_bytes",     "deadline",
                                                            "calls_in_flight", "bytes_in_flight", "message_size",
                                                            "request_size",    "draining",        "unauthenticated"};

absl::StatusCode CodeOf(Rejection rejection) {
  switch (rejection) {
    case Rejection::kDraining:
      return absl::StatusCode::kUnavailable;
    case Rejection::kUnauthenticated:
      return absl::StatusCode::kUnauthenticated;
    default:
      return absl::StatusCode::kResourceExhausted;
  }
}

}  // namespace

absl::string_view RejectionName(Rejection reason) {
  return kNames[reason];
}

absl::Status Refused(Rejection rejection, absl::string_view message,
                     std::optional<std::chrono::milliseconds> retry_after) {
  absl::Status status = Error(CodeOf(rejection), absl::AsciiStrToUpper(RejectionName(rejection)), message);
  if (retry_after) SetRetryAfter(*retry_after, status);
  return status;
}

RejectionCounters::RejectionCounters(Metrics& metrics) {
  for (const Rejection reason : EnumValues<Rejection>()) {
    counters_[reason] = &metrics.Rejections(RejectionName(reason));
  }
}

}  // namespace resnetd::server
