#include "server/edge/pace.h"

#include <algorithm>

namespace resnetd::server {

bool Pace::Take(Time now) {
  if (interval_ == Duration::zero()) return true;
  if (interval_ != Duration::max()) {
    const auto more = std::min<Duration::rep>((now - filled_) / interval_, burst_ - tokens_);
    tokens_ += static_cast<int>(more);
    filled_ = tokens_ == burst_ ? now : filled_ + more * interval_;  // a full bucket does not fill ahead
  }
  if (tokens_ == 0) return false;
  --tokens_;
  return true;
}

}  // namespace resnetd::server
