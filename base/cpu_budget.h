#ifndef RESNETD_BASE_CPU_BUDGET_H_
#define RESNETD_BASE_CPU_BUDGET_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// Returns how many threads may compute at once. A limited container that counts its host's cores is throttled to a
// crawl.
namespace resnetd {

// CPUs allowed by cgroup v2's cpu.max, "150000 100000" or "max 100000"; nullopt: no limit, or not such a file.
std::optional<double> ParseCpuMax(absl::string_view cpu_max);
// The same from cgroup v1's cpu.cfs_quota_us (-1: no limit) and cpu.cfs_period_us.
std::optional<double> ParseCfsQuota(absl::string_view quota_us, absl::string_view period_us);

// The places of this process by controller, as /proc/self/cgroup has them: v2's "0::/a/b", v1's "4:cpu,cpuacct:/a/b".
struct CgroupPaths {
  std::optional<std::string> v2, v1_cpu;
};
CgroupPaths ParseProcCgroup(absl::string_view text);

// The smallest quota of the process's group and all above it, in CPUs; nullopt: none. `proc_cgroup`: the text of
// /proc/self/cgroup; `mount`: /sys/fs/cgroup.
std::optional<double> ReadCpuQuota(absl::string_view proc_cgroup, const std::string& mount);

// The quota rounded down, within the CPUs of the affinity mask; at least 1.
int CpuBudget(int affinity_cpus, std::optional<double> quota);

// This process's.
int ReadCpuBudget();

}  // namespace resnetd

#endif  // RESNETD_BASE_CPU_BUDGET_H_
