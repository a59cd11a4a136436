// Each count is raised first and lowered again where that passed the cap: two calls that race for the last place may
// both be refused for an instant, never both let in. Close() and Enter() meet through the count: whoever raised it
// before the gate closed is seen by calls(), whoever raises it later sees closed_.
#include "server/edge/gate.h"

#include <chrono>

#include "absl/strings/str_cat.h"

namespace resnetd::server {
namespace {

// Calls in flight come and go within a few batches; this is about one batch of a large network.
constexpr std::chrono::milliseconds kRetryAfter(100);

}  // namespace

std::optional<Rejection> Gate::Enter() {
  std::optional<Rejection> rejection;
  calls_.fetch_add(1);
  if (slots_.fetch_add(1) >= max_calls_) {
    rejection = Rejection::kCallsInFlight;
  } else if (bytes() >= max_bytes_) {
    rejection = Rejection::kBytesInFlight;
  }
  if (closed_.load()) rejection = Rejection::kDraining;
  if (rejection) {
    FreeSlot();
    Leave();
  }
  return rejection;
}

absl::Status Gate::Refusal(Rejection rejection) const {
  switch (rejection) {
    case Rejection::kCallsInFlight:
      return Refused(rejection,
                     absl::StrCat("as many calls are in flight as may be: ", max_calls_, " (--max-calls-in-flight)"),
                     kRetryAfter);
    case Rejection::kBytesInFlight:
      return Refused(rejection,
                     absl::StrCat("the requests and answers in flight leave no room for this one: ", bytes(), " of ",
                                  max_bytes_, " bytes are taken (--max-bytes-in-flight)"),
                     kRetryAfter);
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
