#ifndef RESNETD_BASE_TIME_H_
#define RESNETD_BASE_TIME_H_

#include <chrono>

// The clock that everything but the wire is timed by: it never goes back and nobody can set it.
namespace resnetd {

using Time = std::chrono::steady_clock::time_point;  // Time::max(): never
using Duration = std::chrono::nanoseconds;

inline Time Now() {
  return std::chrono::steady_clock::now();
}

inline double Seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

// time + d, or Time::max() where that would overflow. d >= 0.
inline Time SaturatingAdd(Time time, Duration d) {
  return time > Time::max() - d ? Time::max() : time + d;
}

// The steady-clock twin of a deadline that gRPC gives on the wall clock, taken once, when both clocks are read, so that
// a clock set later moves no deadline. system_clock's maximum means none and stays Time::max(); a deadline further away
// than the clock can count (no call waits a hundred years) is none too; one in the past stays in the past.
inline Time ToSteady(std::chrono::system_clock::time_point deadline, std::chrono::system_clock::time_point wall_now,
                     Time steady_now) {
  using FloatSeconds = std::chrono::duration<double>;
  constexpr FloatSeconds kForever = std::chrono::hours(24 * 365 * 100);
  const FloatSeconds left = FloatSeconds(deadline.time_since_epoch()) - FloatSeconds(wall_now.time_since_epoch());
  if (left > kForever) return Time::max();
  if (left <= FloatSeconds::zero()) return steady_now - Duration(1);
  return steady_now + std::chrono::duration_cast<Duration>(deadline - wall_now);
}

}  // namespace resnetd

#endif  // RESNETD_BASE_TIME_H_
