// Limits of a group bind its children too, so every level up to the root counts. Inside a container the path that
// /proc/self/cgroup gives may be the host's and not exist beneath the mount; the mount itself is then the container's.
#include "base/cpu_budget.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"

namespace resnetd {
namespace {

std::optional<double> Ratio(absl::string_view quota, absl::string_view period) {
  double q = 0, p = 0;
  if (!absl::SimpleAtod(absl::StripAsciiWhitespace(quota), &q) ||
      !absl::SimpleAtod(absl::StripAsciiWhitespace(period), &p) || !(q > 0) || !(p > 0)) {
    return std::nullopt;
  }
  return q / p;
}

std::optional<double> GroupQuota(const std::string& group, bool v2) {
  if (v2) return ParseCpuMax(ReadKernelFile(group + "/cpu.max"));
  return ParseCfsQuota(ReadKernelFile(group + "/cpu.cfs_quota_us"), ReadKernelFile(group + "/cpu.cfs_period_us"));
}

std::optional<double> Smaller(std::optional<double> a, std::optional<double> b) {
  if (!a.has_value()) return b;
  return b.has_value() ? std::min(*a, *b) : a;
}

// The smallest quota from mount + path up to the mount.
std::optional<double> QuotaUpwards(const std::string& mount, std::string path, bool v2) {
  std::optional<double> smallest = GroupQuota(mount, v2);
  while (path.size() > 1) {
    smallest = Smaller(smallest, GroupQuota(mount + path, v2));
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
  return smallest;
}

}  // namespace

std::optional<double> ParseCpuMax(absl::string_view cpu_max) {
  const std::vector<absl::string_view> words = absl::StrSplit(cpu_max, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  if (words.size() != 2) return std::nullopt;
  return Ratio(words[0], words[1]);  // "max" is no number
}

std::optional<double> ParseCfsQuota(absl::string_view quota_us, absl::string_view period_us) {
  return Ratio(quota_us, period_us);
}

CgroupPaths ParseProcCgroup(absl::string_view text) {
  CgroupPaths paths;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const std::vector<absl::string_view> controllers = absl::StrSplit(fields[1], ',');
    if (fields[0] == "0" && fields[1].empty()) paths.v2 = std::string(fields[2]);
    if (absl::c_linear_search(controllers, "cpu")) paths.v1_cpu = std::string(fields[2]);
  }
  return paths;
}

std::optional<double> ReadCpuQuota(absl::string_view proc_cgroup, const std::string& mount) {
  const CgroupPaths paths = ParseProcCgroup(proc_cgroup);
  std::optional<double> quota;
  if (paths.v2.has_value()) quota = QuotaUpwards(mount, *paths.v2, /*v2=*/true);
  if (paths.v1_cpu.has_value()) {
    for (const char* controller : {"/cpu", "/cpu,cpuacct"}) {
      quota = Smaller(quota, QuotaUpwards(mount + controller, *paths.v1_cpu, /*v2=*/false));
    }
  }
  return quota;
}

int CpuBudget(int affinity_cpus, std::optional<double> quota) {
  if (!quota.has_value() || *quota >= affinity_cpus) return std::max(affinity_cpus, 1);
  return std::max(static_cast<int>(std::floor(*quota)), 1);
}

int ReadCpuBudget() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Fails on machines of more than 1024 CPUs.
  const int cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                               : static_cast<int>(std::thread::hardware_concurrency());
  return CpuBudget(cpus, ReadCpuQuota(ReadKernelFile("/proc/self/cgroup"), "/sys/fs/cgroup"));
}

}  // namespace resnetd
