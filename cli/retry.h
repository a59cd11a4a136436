#ifndef RESNETD_CLI_RETRY_H_
#define RESNETD_CLI_RETRY_H_

#include <chrono>
#include <optional>

#include "cli/error.h"
#include "grpcpp/client_context.h"

namespace resnetd::cli {

// Whether the same images may be answered later: the server is too busy, goes away or comes back, or the call's own
// time was up. Not what is wrong with the request, nor a message that is too large for either side.
bool MayPass(const CallError& error);

// Whether the image itself is at fault: its file cannot be read, or the server says that it is bad.
bool IsBadImage(const CallError& error);

// What the server said of when to try again (`grpc-retry-pushback-ms`), of a call that has ended; nullopt: nothing.
std::optional<std::chrono::milliseconds> Pushback(const grpc::ClientContext& call);

// When to try again what failed, and when to give up. A pure class: time is an argument. One thread.
//
// A server that refuses is there: what it refuses is tried again for as long as the deadline allows. A server that does
// not answer is waited for as long as the patience lasts since it last did; one that never did is most likely a wrong
// address, and is not waited for.
class Retry {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  // `deadline`: of all calls together; Time::max(): none.
  Retry(Time deadline, Duration patience) : deadline_(deadline), patience_(patience) {}

  // The server said something, if only that it refuses.
  void Heard(Time now) { heard_ = now; }
  // When to send again a call that failed for the `attempt`th time, 1 the first; nullopt: not at all.
  std::optional<Time> Next(const CallError& error, std::optional<std::chrono::milliseconds> pushback, int attempt,
                           Time now) const;

 private:
  const Time deadline_;
  const Duration patience_;
  std::optional<Time> heard_;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_RETRY_H_
