#ifndef RESNETD_SERVER_EDGE_PACE_H_
#define RESNETD_SERVER_EDGE_PACE_H_

#include <chrono>
#include <cstddef>

#include "base/time.h"

namespace resnetd::server {

// Limits how refusals go out while the workers are saturated, see refusals.h.
struct RefusalPace {
  // Between two refusals in the long run. A refusal takes some 30 us of a core: at 1 ms all take a thirtieth of it. At
  // Duration::max() none go out beyond the burst, at 0 none is ever held.
  Duration interval = std::chrono::milliseconds(1);
  int burst = 64;           // refusals that go out at once after a quiet time
  size_t most_held = 1024;  // calls held beyond the pace; more are refused at once
  // A refusal is held for this long at most, and for three quarters of the time that its call has left: a client that
  // hears of it later can do nothing with it.
  Duration longest = std::chrono::milliseconds(100);
  // When more than `crowd` refusals are held, the connection of the last has a lull (lulls.h) of this length, if
  // `crowd_of_one` of them are its own and it would be dead after it; its refusals go out at once. With a longer one
  // more calls pass unread, and clients learn later that they are refused.
  size_t crowd = 32;
  int crowd_of_one = 4;
  Duration lull = std::chrono::milliseconds(200);
  int backlog = 16;  // calls that a connection may have open
};

// Says whether something that must not be done more often than at some rate may be done now: a bucket that fills by one
// token every interval, and holds `burst` at most. Pure and not thread-safe; `now` never goes back.
class Pace {
 public:
  Pace(Duration interval, int burst) : interval_(interval), burst_(burst), tokens_(burst) {}

  // Returns true if it may be done; then it counts as done.
  bool Take(Time now);

 private:
  const Duration interval_;
  const int burst_;
  int tokens_;
  Time filled_;  // all tokens are counted up to here
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_PACE_H_
