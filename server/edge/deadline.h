#ifndef RESNETD_SERVER_EDGE_DEADLINE_H_
#define RESNETD_SERVER_EDGE_DEADLINE_H_

#include <chrono>

#include "base/time.h"
#include "server/scheduling/policy.h"

namespace resnetd::server {

// The steady-clock twin of a deadline that gRPC gives on the wall clock, taken once, when both clocks are read, so that
// a clock set later moves no deadline. system_clock's maximum means none and stays Time::max(); a deadline further away
// than the clock can count (no call waits a hundred years) is none too; one in the past stays in the past.
inline Time ToSteady(std::chrono::system_clock::time_point deadline, std::chrono::system_clock::time_point wall_now,
                     Time steady_now) {
  using Seconds = std::chrono::duration<double>;
  constexpr Seconds kForever = std::chrono::hours(24 * 365 * 100);
  const Seconds left = Seconds(deadline.time_since_epoch()) - Seconds(wall_now.time_since_epoch());
  if (left > kForever) return Time::max();
  if (left <= Seconds::zero()) return steady_now - Duration(1);
  return steady_now + std::chrono::duration_cast<Duration>(deadline - wall_now);
}

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_DEADLINE_H_
