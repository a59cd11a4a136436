// [############------------------]  40 %  4000/10000 images, 123.4 images/s, 49 s left
#include "cli/print/progress.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_format.h"

namespace resnetd::cli {
namespace {

constexpr auto kQuiet = std::chrono::seconds(2);
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr int kWidth = 30;
constexpr auto kRateWindow = std::chrono::seconds(10);  // a server that was away for a while is soon forgotten
constexpr char kWipeLine[] = "\r\x1b[K";

// "49 s", "3 min", "2.5 h": as much as a person who waits wants to know.
std::string Words(double seconds) {
  if (seconds < 100) return absl::StrFormat("%.0f s", std::ceil(seconds));
  if (seconds < 6000) return absl::StrFormat("%.0f min", std::ceil(seconds / 60));
  return absl::StrFormat("%.1f h", seconds / 3600);
}

}  // namespace

Progress::Progress(std::ostream& out, bool terminal, double total, std::string unit, Time start)
    : out_(out), terminal_(terminal), total_(total), unit_(std::move(unit)), next_draw_(start + kQuiet) {
  samples_.push_back({start, 0});
}

Progress::~Progress() {
  Wipe();
}

void Progress::Wipe() {
  if (drawn_) out_ << kWipeLine << std::flush;
  drawn_ = false;
}

std::string Progress::RateAndRest(double done, Time now) {
  if (unit_ == "s") return "";
  samples_.push_back({now, done});
  while (samples_.size() > 2 && now - samples_[1].time >= kRateWindow) samples_.pop_front();
  const double rate = (done - samples_.front().done) / Seconds(now - samples_.front().time);
  std::string text = absl::StrFormat(", %.*f %s/s", rate < 10 ? 1 : 0, rate, unit_);
  if (rate > 0) text += ", " + Words(std::max(total_ - done, 0.0) / rate) + " left";
  return text;
}

void Progress::Update(double done, Time now) {
  if (!terminal_ || now < next_draw_ || total_ <= 0) return;
  next_draw_ = now + kRedraw;
  drawn_ = true;
  const double fraction = std::clamp(done / total_, 0.0, 1.0);
  const int filled = static_cast<int>(fraction * kWidth);
  out_ << kWipeLine
       << absl::StrFormat("[%s%s] %3.0f %%  %.0f/%.0f %s", std::string(filled, '#'), std::string(kWidth - filled, '-'),
                          fraction * 100, done, total_, unit_)
       << RateAndRest(done, now) << std::flush;
}

}  // namespace resnetd::cli
