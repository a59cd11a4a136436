// Each count is raised first and lowered again where that passed the cap: two calls that race for the last place may
// both be refused for an instant, never both let in. Close() and Enter() meet through the count: whoever raised it
// before the gate closed is seen by calls(), whoever raises it later sees closed_.
#include "server/edge/gate.h"

#include <chrono>
#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/edge/error.h"

namespace resnetd::server {
namespace {

// Calls in flight come and go within a few batches; this is about one batch of a large network.
constexpr std::chrono::milliseconds kRetryAfter(100);

constexpr EnumTable<Rejection, absl::string_view> kNames = {
    "queue_time",      "queue_bytes",  "deadline",     "calls_in_flight", "connection_share", "connection_calls",
    "bytes_in_flight", "message_size", "message_time", "request_size",    "draining",         "unauthenticated"};

absl::StatusCode CodeOf(Rejection rejection) {
  switch (rejection) {
    case Rejection::kDraining:
      return absl::StatusCode::kUnavailable;
    case Rejection::kMessageTime:
      return absl::StatusCode::kDeadlineExceeded;
    case Rejection::kUnauthenticated:
      return absl::StatusCode::kUnauthenticated;
    default:
      return absl::StatusCode::kResourceExhausted;
  }
}

// From 0 to less than 1.
double Chance() {
  thread_local std::minstd_rand random(std::random_device{}());
  return std::uniform_real_distribution<double>(0, 1)(random);
}

}  // namespace

absl::string_view RejectionName(Rejection reason) {
  return kNames[reason];
}

absl::Status Refused(Rejection rejection, absl::string_view message, std::optional<RefusedBy> by,
                     std::optional<std::chrono::milliseconds> predicted_wait) {
  ErrorMetadata metadata;
  if (by) metadata.emplace_back(by->name, absl::StrCat(by->limit));
  if (predicted_wait) metadata.emplace_back("predicted_wait_ms", absl::StrCat(predicted_wait->count()));
  absl::Status status = Error(CodeOf(rejection), absl::AsciiStrToUpper(RejectionName(rejection)), message, metadata);
  if (predicted_wait) SetRetryAfter(Spread(*predicted_wait, Chance()), status);
  return status;
}

std::chrono::milliseconds Spread(std::chrono::milliseconds wait, double chance) {
  return wait + std::chrono::floor<std::chrono::milliseconds>(wait * chance);
}

RejectionCounters::RejectionCounters(Metrics& metrics) {
  for (const Rejection reason : EnumValues<Rejection>()) {
    counters_[reason] = &metrics.Rejections(RejectionName(reason));
  }
}

std::optional<Rejection> Gate::Enter(ConnectionLoad& load) {
  calls_.fetch_add(1);
  std::optional<Rejection> rejection = TakeSlot(load);
  const bool has_slot = !rejection;
  if (has_slot && bytes() >= max_bytes_) rejection = Rejection::kBytesInFlight;
  if (closed_.load()) rejection = Rejection::kDraining;
  if (rejection) {
    if (has_slot) FreeSlot(load);
    Leave();
  }
  return rejection;
}

std::optional<Rejection> Gate::EnterStream(ConnectionLoad& load) {
  std::optional<Rejection> rejection;
  calls_.fetch_add(1);
  if (load.streams.fetch_add(1) >= max_streams_ && !load.trusted) {
    rejection = Rejection::kConnectionCalls;
  } else if (bytes() >= max_bytes_) {
    rejection = Rejection::kBytesInFlight;
  }
  if (closed_.load()) rejection = Rejection::kDraining;
  if (rejection) LeaveStream(load);
  return rejection;
}

void Gate::LeaveStream(ConnectionLoad& load) {
  load.streams.fetch_sub(1);
  Leave();
}

std::optional<Rejection> Gate::TakeSlot(ConnectionLoad& load) {
  std::optional<Rejection> rejection;
  const int taken = slots_.fetch_add(1) + 1, by_connection = load.slots.fetch_add(1) + 1;
  if (taken > max_calls_) {
    rejection = Rejection::kCallsInFlight;
  } else if (taken > (max_calls_ + 1) / 2 && by_connection > share() && !load.trusted) {
    rejection = Rejection::kConnectionShare;
  }
  if (rejection) FreeSlot(load);
  return rejection;
}

void Gate::FreeSlot(ConnectionLoad& load) {
  load.slots.fetch_sub(1);
  slots_.fetch_sub(1);
}

absl::Status Gate::Refusal(Rejection rejection) const {
  switch (rejection) {
    case Rejection::kCallsInFlight:
      return Refused(rejection,
                     absl::StrCat("as many calls are in flight as may be: ", max_calls_, " (--max-calls-in-flight)"),
                     RefusedBy{"limit_calls", max_calls_}, kRetryAfter);
    case Rejection::kConnectionShare:
      return Refused(rejection,
                     absl::StrCat("more than half of ", max_calls_,
                                  " calls are in flight, and as many of the connection's as it may have then: ",
                                  share(), " (--max-calls-in-flight; a proxy's may have more: --trusted-proxies)"),
                     RefusedBy{"limit_calls", share()}, kRetryAfter);
    case Rejection::kConnectionCalls:
      return Refused(rejection,
                     absl::StrCat("the connection has as many streams open as it may: ", max_streams_,
                                  " (--max-streams-per-connection)"),
                     RefusedBy{"limit_calls", max_streams_});
    case Rejection::kBytesInFlight:
      return Refused(rejection,
                     absl::StrCat("the requests and answers in flight leave no room for this one: ", bytes(), " of ",
                                  max_bytes_, " bytes are taken (--max-bytes-in-flight)"),
                     RefusedBy{"limit_bytes", static_cast<int64_t>(max_bytes_)}, kRetryAfter);
    default:
      return Refused(rejection, "the server is shutting down and takes no new calls");
  }
}

bool Gate::Reserve(size_t bytes) {
  if (request_bytes_.fetch_add(bytes) + bytes <= max_bytes_) return true;
  Release(bytes);
  return false;
}

}  // namespace resnetd::server
