#include "server/edge/queue_refusal.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace resnetd::server {
namespace {

int64_t Ms(Duration d) {
  return static_cast<int64_t>(std::chrono::floor<std::chrono::milliseconds>(d).count());
}

struct RefusalText {
  Rejection rejection;
  absl::string_view text;
  RefusedBy by;
};

RefusalText Explain(scheduling::Refusal refusal, const scheduling::Limits& limits, Duration left) {
  switch (refusal) {
    case scheduling::Refusal::kQueueBytes:
      return {Rejection::kQueueBytes,
              "the images waiting hold as many bytes as may wait (--max-queue-bytes)",
              {"limit_bytes", static_cast<int64_t>(limits.max_queue_bytes)}};
    case scheduling::Refusal::kDeadline:
      return {Rejection::kDeadline,
              "the deadline would pass before the answer, by the queue's predicted wait",
              {"limit_ms", Ms(std::max(left, Duration::zero()))}};
    case scheduling::Refusal::kQueueTime:
    case scheduling::Refusal::kGroupBytes:
    case scheduling::Refusal::kUnknownModel:
      break;
  }
  return {Rejection::kQueueTime,
          "the queue's predicted wait is longer than it may be (--max-queue-ms)",
          {"limit_ms", Ms(limits.max_queue_time)}};
}

}  // namespace

absl::Status QueueRefusal(const scheduling::Verdict& verdict, const scheduling::Limits& limits, Duration left,
                          const RejectionCounters& rejections) {
  const RefusalText why = Explain(*verdict.refusal, limits, left);
  rejections.Count(why.rejection);
  return Refused(why.rejection, why.text, why.by, std::chrono::ceil<std::chrono::milliseconds>(verdict.predicted_wait));
}

}  // namespace resnetd::server
