// The figures that Prometheus's own client libraries give for a process, read from /proc.
#include "server/observe/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/file.h"

namespace resnetd::server {
namespace {

// Fields of proc_pid_stat(5), counted from the state, which is the first after the command's name.
constexpr size_t kUserTicks = 11, kSystemTicks = 12, kStartTicks = 19, kVirtualBytes = 20, kResidentPages = 21;

double CountOpenFds() {
  DIR* dir = opendir("/proc/self/fd");
  if (dir == nullptr) return 0;
  double count = 0;
  while (const dirent* entry = readdir(dir)) count += entry->d_name[0] != '.';
  closedir(dir);
  return count - 1;  // the one that reads
}

}  // namespace

std::optional<ProcessStat> ParseProcessStat(absl::string_view text) {
  const size_t name_end = text.rfind(')');
  if (name_end == absl::string_view::npos) return std::nullopt;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(text.substr(name_end + 1), absl::ByAnyChar(" \n"), absl::SkipEmpty());
  if (fields.size() <= kResidentPages) return std::nullopt;
  ProcessStat stat;
  double user = 0, system = 0;
  if (!absl::SimpleAtod(fields[kUserTicks], &user) || !absl::SimpleAtod(fields[kSystemTicks], &system) ||
      !absl::SimpleAtod(fields[kStartTicks], &stat.start_ticks) ||
      !absl::SimpleAtod(fields[kVirtualBytes], &stat.virtual_bytes) ||
      !absl::SimpleAtod(fields[kResidentPages], &stat.resident_pages)) {
    return std::nullopt;
  }
  stat.cpu_ticks = user + system;
  return stat;
}

std::optional<double> ParseBootTime(absl::string_view text) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    double seconds = 0;
    if (words.size() == 2 && words[0] == "btime" && absl::SimpleAtod(words[1], &seconds)) return seconds;
  }
  return std::nullopt;
}

ProcessFigures ReadProcessFigures() {
  static const double ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  static const double page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  static const std::optional<double> boot_time = ParseBootTime(ReadKernelFile("/proc/stat"));
  ProcessFigures figures;
  if (const auto stat = ParseProcessStat(ReadKernelFile("/proc/self/stat"))) {
    figures.cpu_seconds = stat->cpu_ticks / ticks_per_second;
    if (boot_time.has_value()) figures.start_time_seconds = *boot_time + stat->start_ticks / ticks_per_second;
    figures.virtual_bytes = stat->virtual_bytes;
    figures.resident_bytes = stat->resident_pages * page_bytes;
  }
  figures.open_fds = CountOpenFds();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_fds = static_cast<double>(limit.rlim_cur);
  return figures;
}

}  // namespace resnetd::server
