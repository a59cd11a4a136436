// Times to wait: what the server says, at least a delay that doubles with each failure in a row, and up to a quarter
// more by chance, so that several clients that were refused together do not come back together.
#include "cli/call/retry.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/time.h"

namespace resnetd::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstDelay(20), kLongestDelay(2000);
// A server that has work to do first says more. Who may come back at once, again and again, sends what is never let in:
// more than its queue may hold.
constexpr milliseconds kAtOnce(1);
constexpr int kDoublings = 7;  // from the one to more than the other
constexpr double kChance = 0.25;
constexpr auto kQuiet = std::chrono::seconds(5), kBetweenNotes = std::chrono::seconds(30);

Duration FromSeconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

// Larger than one of the server's limits, which no other moment changes.
bool IsTooLarge(const CallError& error) {
  return error.reason == "MESSAGE_SIZE" || error.reason == "REQUEST_SIZE";
}

// The time that a call had was over, or would have been: this command's own limit, whatever the server is busy with.
bool IsLate(const CallError& error) {
  return error.code == grpc::StatusCode::DEADLINE_EXCEEDED || error.reason == "DEADLINE";
}

bool Blames(const CallError& error, absl::string_view field) {
  return std::any_of(error.violations.begin(), error.violations.end(),
                     [&](const FieldViolation& v) { return absl::StartsWith(v.field, field); });
}

}  // namespace

Failure FailureOf(const grpc::Status& status, const grpc::ClientContext& context) {
  Failure failure{ErrorFrom(status), std::nullopt};
  const auto& trailers = context.GetServerTrailingMetadata();
  if (const auto found = trailers.find("grpc-retry-pushback-ms"); found != trailers.end()) {
    int64_t ms = 0;
    // By gRPC's rules a text that is no number says no as well.
    if (!absl::SimpleAtoi(absl::string_view(found->second.data(), found->second.size()), &ms)) ms = -1;
    failure.pushback = milliseconds(ms);
  }
  return failure;
}

Remedy RemedyOf(const CallError& error, int images) {
  const bool several = images > 1;
  switch (error.code) {
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      if (IsTooLarge(error)) return several ? Remedy::kSplit : Remedy::kImage;
      if (error.reason == "QUEUE_BYTES" || error.reason == "DEADLINE") {
        return several ? Remedy::kSplitLater : Remedy::kRetry;
      }
      return Remedy::kRetry;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return several ? Remedy::kSplitLater : Remedy::kRetry;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::CANCELLED:  // not by this client: by what is between it and the server
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::UNKNOWN:
      return Remedy::kRetry;
    case grpc::StatusCode::INTERNAL:
      // gRPC's word for some broken connections too; the server's own comes with a reason.
      if (error.reason.empty()) return Remedy::kRetry;
      return several ? Remedy::kSplit : Remedy::kImage;
    case grpc::StatusCode::INVALID_ARGUMENT:
      // The error means the request as a whole: more images or larger answers than the server takes, or a fault that
      // requests of one image will show.
      if (several) return Remedy::kSplit;
      return error.reason == "BAD_IMAGE" || Blames(error, "images[") ? Remedy::kImage : Remedy::kGiveUp;
    default:
      return Remedy::kGiveUp;
  }
}

Remedy RemedyOfImage(const CallError& error) {
  switch (error.code) {
    case grpc::StatusCode::RESOURCE_EXHAUSTED:  // no memory to decode it, for now
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::ABORTED:
      return Remedy::kRetry;
    default:
      return Remedy::kImage;
  }
}

bool ImageIsBad(const CallError& error) {
  return error.code == grpc::StatusCode::INVALID_ARGUMENT || error.code == grpc::StatusCode::NOT_FOUND ||
         IsTooLarge(error);
}

Patience::Patience(const Limits& limits, Time start)
    : limits_(limits),
      end_(limits.deadline_seconds > 0 ? start + FromSeconds(limits.deadline_seconds) : Time::max()),
      last_answer_(start),
      last_note_(start - kBetweenNotes),
      random_(std::random_device()()) {}

void Patience::SetDeadlineOf(grpc::ClientContext& call, Time now) const {
  Duration time = FromSeconds(limits_.timeout_seconds);
  if (end_ != Time::max()) time = std::min(time, end_ - now);
  call.set_deadline(std::chrono::system_clock::now() +
                    std::chrono::duration_cast<std::chrono::system_clock::duration>(time));
}

void Patience::Answered(Time now) {
  failing_since_ = Time::max();
  late_since_ = Time::max();
  last_answer_ = now;
  heard_ = true;
}

std::optional<Time> Patience::NextTry(const Failure& failure, int tries, Time now) {
  interrupted_ = interrupted_ || failure.error.code != grpc::StatusCode::RESOURCE_EXHAUSTED;
  if (failure.pushback && failure.pushback->count() < 0) {
    why_ = "the server asks not to try again (grpc-retry-pushback-ms)";
    return std::nullopt;
  }
  heard_ = heard_ || failure.pushback || !failure.error.reason.empty();
  if (!heard_ && failure.error.code == grpc::StatusCode::UNAVAILABLE) {
    why_ = "no server has answered there";
    return std::nullopt;
  }
  const bool busy = failure.pushback > kAtOnce;
  failing_since_ = busy ? Time::max() : std::min(failing_since_, now);
  Time since = failing_since_;
  const bool late = IsLate(failure.error);
  if (late) {
    late_since_ = std::min(late_since_, now);
    since = std::min(since, late_since_);
  }
  if (since <= now && now - since >= FromSeconds(limits_.patience_seconds)) {
    why_ = absl::StrCat("nothing was answered for ", limits_.patience_seconds, " s (--patience)");
    if (late) {
      absl::StrAppend(&why_, "; a call had ", limits_.timeout_seconds,
                      " s: raise --timeout if the server needs longer");
    }
    return std::nullopt;
  }
  // Longer than this nothing can wait, and sums do not overflow.
  constexpr milliseconds kMost = std::chrono::hours(24);
  milliseconds wait = std::min(kFirstDelay * (1 << std::min(tries, kDoublings)), kLongestDelay);
  if (busy) wait = std::clamp(*failure.pushback, wait, kMost);
  const double chance = std::uniform_real_distribution<double>(0, kChance)(random_);
  const Time next = now + wait + std::chrono::duration_cast<Duration>(chance * wait);
  if (next >= end_) {
    why_ = absl::StrCat("the ", limits_.deadline_seconds, " s of --deadline are over, or would be before another try");
    return std::nullopt;
  }
  return next;
}

bool Patience::NoteIsDue(Time now) {
  if (now - last_answer_ < kQuiet || now - last_note_ < kBetweenNotes) return false;
  last_note_ = now;
  return true;
}

}  // namespace resnetd::cli
