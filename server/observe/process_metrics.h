#ifndef RESNETD_SERVER_OBSERVE_PROCESS_METRICS_H_
#define RESNETD_SERVER_OBSERVE_PROCESS_METRICS_H_

#include <cstddef>
#include <optional>

#include "absl/strings/string_view.h"

namespace resnetd::server {

// The figures of /proc/self/stat, in the kernel's units.
struct ProcessStat {
  double cpu_ticks = 0;    // user and system
  double start_ticks = 0;  // since boot
  double virtual_bytes = 0, resident_pages = 0;
};

// proc_pid_stat(5). The command's name may hold spaces and parentheses. nullopt if fields are missing.
std::optional<ProcessStat> ParseProcessStat(absl::string_view text);
// The boot time in /proc/stat, in seconds since the epoch.
std::optional<double> ParseBootTime(absl::string_view text);

// Seconds and bytes; what cannot be read is zero.
struct ProcessFigures {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  // since the epoch
  double resident_bytes = 0, virtual_bytes = 0;
  double open_fds = 0, max_fds = 0;
};
ProcessFigures ReadProcessFigures();

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_OBSERVE_PROCESS_METRICS_H_
