#include "server/process/line_limit.h"

#include <utility>

namespace resnetd::server {

bool LineLimit::Admit(Time now) {
  if (now >= end_) {
    end_ = SaturatingAdd(now, window_);
    written_ = 0;
  }
  if (written_ < lines_) {
    ++written_;
    return true;
  }
  ++left_out_;
  return false;
}

int64_t LineLimit::TakeLeftOut(Time now) {
  return now >= end_ ? std::exchange(left_out_, 0) : 0;
}

}  // namespace resnetd::server
