#include "cli/retry.h"

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "grpcpp/support/status_code_enum.h"

namespace resnetd::cli {
namespace {

using std::chrono::milliseconds;

// Where the server does not say when to come back: doubled at each failure. A server that starts takes some seconds.
constexpr milliseconds kFirstWait{50}, kLongestWait{2000};

// Of those that refused, the server's own reasons; a transport's RESOURCE_EXHAUSTED has none, and is a message's size.
bool IsRefusal(const CallError& error) {
  return error.code == grpc::RESOURCE_EXHAUSTED && !error.reason.empty() && error.reason != "MESSAGE_SIZE";
}

}  // namespace

bool MayPass(const CallError& error) {
  switch (error.code) {
    case grpc::RESOURCE_EXHAUSTED:
      return IsRefusal(error);
    case grpc::UNAVAILABLE:
    case grpc::DEADLINE_EXCEEDED:
    case grpc::CANCELLED:  // by a server that goes down: nobody here cancels
      return true;
    default:
      return false;
  }
}

bool IsBadImage(const CallError& error) {
  // What was found before anything was sent has no reason.
  const bool of_file = error.reason.empty() && error.violations.empty();
  if (of_file) return error.code == grpc::INVALID_ARGUMENT || error.code == grpc::NOT_FOUND;
  if (error.code != grpc::INVALID_ARGUMENT) return false;
  return error.reason == "BAD_IMAGE" ||
         std::any_of(error.violations.begin(), error.violations.end(),
                     [](const FieldViolation& violation) { return absl::StartsWith(violation.field, "images["); });
}

std::optional<milliseconds> Pushback(const grpc::ClientContext& call) {
  const auto& trailers = call.GetServerTrailingMetadata();
  const auto found = trailers.find("grpc-retry-pushback-ms");
  int64_t ms = 0;
  if (found == trailers.end() || !absl::SimpleAtoi(std::string(found->second.data(), found->second.size()), &ms)) {
    return std::nullopt;
  }
  return milliseconds(std::max<int64_t>(ms, 0));
}

std::optional<Retry::Time> Retry::Next(const CallError& error, std::optional<milliseconds> pushback, int attempt,
                                       Time now) const {
  if (!MayPass(error)) return std::nullopt;
  const bool answers = IsRefusal(error) || !error.reason.empty();
  if (!answers && (!heard_ || now - *heard_ > patience_)) return std::nullopt;
  const milliseconds backoff = std::min(kFirstWait * (1 << std::min(attempt - 1, 10)), kLongestWait);
  // The server's word is when its queue has drained; all who wait for it come back then.
  const Time next = now + std::max<Duration>(pushback.value_or(backoff), kFirstWait / 10);
  if (next >= deadline_) return std::nullopt;
  return next;
}

}  // namespace resnetd::cli
