// Texts as kernels write them, and trees of groups in a temporary folder.
#include "base/cpu_budget.h"

#include <sched.h>

#include <limits>
#include <map>
#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace resnetd {
namespace {

constexpr std::nullopt_t kNone = std::nullopt;

TEST(CpuBudget, ParsesCpuMax) {
  struct Case {
    const char* text;
    std::optional<double> cpus;
  };
  for (const Case& c : {Case{"150000 100000\n", 1.5}, Case{"100000 100000", 1}, Case{"1000 1000000\n", 0.001},
                        Case{"max 100000\n", kNone}, Case{"", kNone}, Case{"\n", kNone}, Case{"100000\n", kNone},
                        Case{"100000 100000 1\n", kNone}, Case{"0 100000\n", kNone}, Case{"-1 100000\n", kNone},
                        Case{"100000 0\n", kNone}, Case{"100000 max\n", kNone}, Case{"1e5x 100000\n", kNone},
                        Case{"nan 100000\n", kNone}}) {
    EXPECT_EQ(ParseCpuMax(c.text), c.cpus) << '"' << c.text << '"';
  }
}

TEST(CpuBudget, ParsesCfsQuota) {
  struct Case {
    const char *quota, *period;
    std::optional<double> cpus;
  };
  for (const Case& c : {Case{"200000\n", "100000\n", 2}, Case{"50000", "100000", 0.5}, Case{"-1\n", "100000\n", kNone},
                        Case{"0\n", "100000\n", kNone}, Case{"200000\n", "0\n", kNone}, Case{"200000\n", "", kNone},
                        Case{"", "100000\n", kNone}, Case{"", "", kNone}}) {
    EXPECT_EQ(ParseCfsQuota(c.quota, c.period), c.cpus) << c.quota << " / " << c.period;
  }
}

TEST(CpuBudget, ParsesProcCgroup) {
  struct Case {
    const char *what, *text;
    std::optional<std::string> v2, v1_cpu;
  };
  const Case cases[] = {
      {"v2", "0::/system.slice/resnetd.service\n", "/system.slice/resnetd.service", kNone},
      {"v2, in the root", "0::/\n", "/", kNone},
      {"v1, cpu first", "4:cpu,cpuacct:/a/b\n", kNone, "/a/b"},
      {"v1, cpu last", "4:cpuacct,cpu:/a/b\n", kNone, "/a/b"},
      {"v1, apart", "3:cpuset:/x\n2:cpuacct:/y\n1:cpu:/z\n", kNone, "/z"},
      {"no cpu among them", "3:cpuset:/x\n2:cpuacct:/y\n9:name=systemd:/z\n", kNone, kNone},
      {"both", "9:name=systemd:/s\n1:cpu:/z\n0::/u\n", "/u", "/z"},
      {"a colon in the path", "0::/a:b/c\n", "/a:b/c", kNone},
      {"no newline at the end", "0::/a", "/a", kNone},
      {"too few fields", "0:/a\n1:cpu\n\n", kNone, kNone},
      {"a hierarchy of v1 without controllers", "7::/a\n", kNone, kNone},
      {"nothing", "", kNone, kNone},
  };
  for (const Case& c : cases) {
    const CgroupPaths paths = ParseProcCgroup(c.text);
    EXPECT_EQ(paths.v2, c.v2) << c.what;
    EXPECT_EQ(paths.v1_cpu, c.v1_cpu) << c.what;
  }
}

struct TreeCase {
  std::string what, proc_cgroup;
  std::map<std::string, std::string> files;  // beneath the mount
  std::optional<double> quota;
};

const TreeCase kTreeCases[] = {
    {"nothing mounted", "0::/a\n", {}, kNone},
    {"nothing known of the process", "", {{"cpu.max", "100000 100000\n"}}, kNone},
    {"v2: the group's own", "0::/a/b\n", {{"a/b/cpu.max", "150000 100000\n"}}, 1.5},
    {"v2: no limit", "0::/a\n", {{"a/cpu.max", "max 100000\n"}}, kNone},
    {"v2: a group above",
     "0::/a/b/c\n",
     {{"a/cpu.max", "250000 100000\n"}, {"a/b/cpu.max", "max 100000\n"}, {"a/b/c/cpu.max", "max 100000\n"}},
     2.5},
    {"v2: the smallest on the way, above",
     "0::/a/b\n",
     {{"a/cpu.max", "100000 100000\n"}, {"a/b/cpu.max", "300000 100000\n"}},
     1},
    {"v2: the smallest on the way, below",
     "0::/a/b\n",
     {{"a/cpu.max", "300000 100000\n"}, {"a/b/cpu.max", "100000 100000\n"}},
     1},
    {"v2: the mount is the container's, the path the host's",
     "0::/kubepods/pod1/c2\n",
     {{"cpu.max", "200000 100000\n"}},
     2},
    {"v2: in the root", "0::/\n", {{"cpu.max", "200000 100000\n"}, {"a/cpu.max", "100000 100000\n"}}, 2},
    {"v2: a neighbour's limit",
     "0::/a\n",
     {{"b/cpu.max", "100000 100000\n"}, {"ab/cpu.max", "100000 100000\n"}},
     kNone},
    {"v1: the group's own",
     "1:cpu:/a\n",
     {{"cpu/a/cpu.cfs_quota_us", "150000\n"}, {"cpu/a/cpu.cfs_period_us", "100000\n"}},
     1.5},
    {"v1: no limit",
     "1:cpu:/a\n",
     {{"cpu/a/cpu.cfs_quota_us", "-1\n"}, {"cpu/a/cpu.cfs_period_us", "100000\n"}},
     kNone},
    {"v1: a folder named for both controllers",
     "1:cpu,cpuacct:/a/b\n",
     {{"cpu,cpuacct/a/cpu.cfs_quota_us", "50000\n"}, {"cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"}},
     0.5},
    {"v1: the mount is the container's, the path the host's",
     "1:cpu:/docker/c2\n",
     {{"cpu/cpu.cfs_quota_us", "200000\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}},
     2},
    {"both: v1 has the limit",
     "1:cpu:/a\n0::/\n",
     {{"cpu/a/cpu.cfs_quota_us", "200000\n"}, {"cpu/a/cpu.cfs_period_us", "100000\n"}},
     2},
    {"both: the smaller",
     "1:cpu:/a\n0::/a\n",
     {{"cpu/a/cpu.cfs_quota_us", "200000\n"},
      {"cpu/a/cpu.cfs_period_us", "100000\n"},
      {"a/cpu.max", "150000 100000\n"}},
     1.5},
};

TEST(CpuBudget, ReadsTheSmallestQuotaUpToTheRoot) {
  for (const TreeCase& c : kTreeCases) {
    const TempFolder mount;
    for (const auto& [name, content] : c.files) mount.Write(name, content);
    EXPECT_EQ(ReadCpuQuota(c.proc_cgroup, mount.path()), c.quota) << c.what;
  }
}

TEST(CpuBudget, RoundsDownWithinTheAffinityAndNeverToZero) {
  struct Case {
    int affinity;
    std::optional<double> quota;
    int budget;
  };
  for (const Case& c : {Case{4, kNone, 4}, Case{1, kNone, 1}, Case{0, kNone, 1}, Case{4, 0.001, 1}, Case{4, 0.999, 1},
                        Case{4, 1, 1}, Case{4, 1.999, 1}, Case{4, 2, 2}, Case{4, 3.999, 3}, Case{4, 4, 4},
                        Case{4, 4.001, 4}, Case{4, 1e300, 4}, Case{0, 0.5, 1}, Case{0, 2, 1}}) {
    EXPECT_EQ(CpuBudget(c.affinity, c.quota), c.budget) << c.affinity << " CPUs, quota " << c.quota.value_or(-1);
  }
}

TEST(CpuBudget, CountsThisThreadsAffinity) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  const int all = ReadCpuBudget();
  EXPECT_GE(all, 1);
  EXPECT_LE(all, CPU_COUNT(&before));
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(ReadCpuBudget(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
}  // namespace resnetd
