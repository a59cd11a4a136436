#ifndef RESNETD_SERVER_BOUNDS_H_
#define RESNETD_SERVER_BOUNDS_H_

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "engine/engine.h"

// The bounds of each number among the server's options. The command line checks what is written and the edge what it is
// given, both by this table.
namespace resnetd::server {

struct Bounds {
  const char* option;
  int64_t least, most;
  const char* unit = "";

  bool Hold(int64_t value) const { return value >= least && value <= most; }
  // "0 to 65535"
  std::string InWords() const { return absl::StrCat(least, " to ", most, unit); }
};

// INVALID_ARGUMENT names the option, its bounds and the value.
inline absl::Status Check(const Bounds& bounds, int64_t value) {
  return bounds.Hold(value) ? absl::OkStatus() : Expected(bounds.option, bounds.InWords(), absl::StrCat(value));
}

// Takes no number.
inline constexpr char kTrustedProxies[] = "--trusted-proxies";

namespace bounds {

inline constexpr int64_t kMostBytes = int64_t{1} << 46, kDayMs = 24LL * 3600 * 1000;
inline constexpr char kMs[] = " milliseconds";

inline constexpr Bounds kBatchSizes{"--batch-sizes", 1, kLargestBatch};
inline constexpr Bounds kPort{"--port", 0, 65535};
inline constexpr Bounds kMetricsPort{"--metrics-port", 0, 65535};
inline constexpr Bounds kMaxConnections{"--max-connections", 0, 1'000'000};
inline constexpr Bounds kMaxConnectionAge{"--max-connection-age", 0, 24 * 3600, " seconds"};
inline constexpr Bounds kMaxCallsInFlight{"--max-calls-in-flight", 1, 1'000'000};
inline constexpr Bounds kMaxCallsPerConnection{"--max-calls-per-connection", 0, 1'000'000};
inline constexpr Bounds kMaxBytesInFlight{"--max-bytes-in-flight", 1, kMostBytes};
inline constexpr Bounds kMaxMessageBytes{"--max-message-bytes", 1, std::numeric_limits<int>::max()};
inline constexpr Bounds kMaxImagesPerRequest{"--max-images-per-request", 1, 65536};
inline constexpr Bounds kMaxImagePixels{"--max-image-pixels", 1, int64_t{1} << 30};
inline constexpr Bounds kStreamWindow{"--stream-window", 1, 65536};
inline constexpr Bounds kMaxStreamsPerConnection{"--max-streams-per-connection", 1, 1'000'000};
inline constexpr Bounds kMessageTimeoutMs{"--message-timeout-ms", 0, kDayMs, kMs};
inline constexpr Bounds kAnswerTimeoutMs{"--answer-timeout-ms", 0, kDayMs, kMs};
inline constexpr Bounds kWorkers{"--workers", 0, kMostThreads};
inline constexpr Bounds kThreads{"--threads", 1, kMostThreads};
inline constexpr Bounds kMaxQueueMs{"--max-queue-ms", 0, kDayMs, kMs};
inline constexpr Bounds kMaxQueueBytes{"--max-queue-bytes", 1, kMostBytes};
inline constexpr Bounds kDefaultDeadlineMs{"--default-deadline-ms", 0, kDayMs, kMs};
inline constexpr Bounds kLameDuckMs{"--lame-duck-ms", 0, kDayMs, kMs};
inline constexpr Bounds kDrainMs{"--drain-ms", 0, kDayMs, kMs};

}  // namespace bounds
}  // namespace resnetd::server

#endif  // RESNETD_SERVER_BOUNDS_H_
