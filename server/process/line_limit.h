#ifndef RESNETD_SERVER_PROCESS_LINE_LIMIT_H_
#define RESNETD_SERVER_PROCESS_LINE_LIMIT_H_

#include <cstdint>

#include "base/time.h"

namespace resnetd::server {

// Decides which lines of a source that anybody can make talk are written: at most so many in each window of time, the
// first of them. A window begins with the first line after the last one's end. Time is an argument and never goes back.
// Not thread-safe.
class LineLimit {
 public:
  // `lines` >= 1, `window` > 0.
  LineLimit(int lines, Duration window) : lines_(lines), window_(window) {}

  // Whether a line that came now is to be written; if not, it is counted.
  bool Admit(Time now);
  // How many lines were not, in a window that is over, and forgets them: each is told once. 0 while a window lasts.
  // Time::max(): also of the one that lasts.
  int64_t TakeLeftOut(Time now);

 private:
  const int lines_;
  const Duration window_;
  Time end_ = Time::min();  // of the window
  int written_ = 0;         // in the window
  int64_t left_out_ = 0;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_PROCESS_LINE_LIMIT_H_
