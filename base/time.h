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

}  // namespace resnetd

#endif  // RESNETD_BASE_TIME_H_
