// [############------------------]  40 %  4000/10000 images
#include "cli/print/progress.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"

namespace resnetd::cli {
namespace {

constexpr auto kQuiet = std::chrono::seconds(2);
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr int kWidth = 30;
constexpr char kWipeLine[] = "\r\x1b[K";

}  // namespace

Progress::Progress(std::ostream& out, bool terminal, double total, std::string unit, Time start)
    : out_(out), terminal_(terminal), total_(total), unit_(std::move(unit)), next_draw_(start + kQuiet) {}

Progress::~Progress() {
  Wipe();
}

void Progress::Wipe() {
  if (drawn_) out_ << kWipeLine << std::flush;
  drawn_ = false;
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
       << std::flush;
}

}  // namespace resnetd::cli
