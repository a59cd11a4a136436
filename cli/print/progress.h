#ifndef RESNETD_CLI_PRINT_PROGRESS_H_
#define RESNETD_CLI_PRINT_PROGRESS_H_

#include <chrono>
#include <ostream>
#include <string>

#include "base/time.h"

namespace resnetd::cli {

// A bar on a terminal for work that takes longer than two seconds; nothing for shorter work or where nobody looks. The
// destructor wipes it. Used by one thread at a time.
class Progress {
 public:
  // `total` is in the units of Update(), `unit` their name. Draws only if `terminal`.
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
  Time next_draw_;
  bool drawn_ = false;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_PRINT_PROGRESS_H_
