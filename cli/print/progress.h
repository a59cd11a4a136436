#ifndef RESNETD_CLI_PRINT_PROGRESS_H_
#define RESNETD_CLI_PRINT_PROGRESS_H_

#include <chrono>
#include <deque>
#include <ostream>
#include <string>

#include "base/time.h"

namespace resnetd::cli {

// A bar on a terminal for work that takes longer than two seconds; nothing for shorter work or where nobody looks. The
// destructor wipes it. Used by one thread at a time.
class Progress {
 public:
  // `total` is in the units of Update(), `unit` their name. Draws only if `terminal`. The bar tells how fast the last
  // seconds' work went and how long the rest takes at that rate, unless the unit is "s", of which both are known.
  Progress(std::ostream& out, bool terminal, double total, std::string unit, Time start = Now());
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Update(double done, Time now = Now());
  // Makes room for a line of text; the next Update() draws again.
  void Wipe();

 private:
  std::ostream& out_;
  const bool terminal_;
  const double total_;
  const std::string unit_;
  struct Sample {
    Time time;
    double done;
  };
  std::string RateAndRest(double done, Time now);

  Time next_draw_;
  std::deque<Sample> samples_;  // of the last seconds, and at least one
  bool drawn_ = false;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_PRINT_PROGRESS_H_
