#include "server/observe/process_metrics.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace resnetd::server {
namespace {

// Fields 3 and on of proc_pid_stat(5), as the kernel wrote them once: 22 up to the resident pages, then more.
constexpr char kFields[] = "S 1 2 3 0 -1 4194560 1500 0 2 0 123 45 7 8 20 0 3 0 987654 25165824 512";
constexpr char kMore[] = " 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0\n";

TEST(ProcessMetrics, ParsesProcessStat) {
  for (const char* name : {"resnetd", "a b", "a) S 9 9 (b", ")", "("}) {
    for (const char* more : {"", "\n", kMore}) {
      const auto stat = ParseProcessStat(absl::StrCat("42 (", name, ") ", kFields, more));
      ASSERT_TRUE(stat.has_value()) << name;
      EXPECT_EQ(stat->cpu_ticks, 123 + 45) << name;
      EXPECT_EQ(stat->start_ticks, 987654) << name;
      EXPECT_EQ(stat->virtual_bytes, 25165824) << name;
      EXPECT_EQ(stat->resident_pages, 512) << name;
    }
  }
}

TEST(ProcessMetrics, RefusesAStatWithoutItsFields) {
  const std::string whole = absl::StrCat("42 (a) ", kFields);
  for (const std::string& text :
       {std::string(), std::string("42 (a)"), std::string("42 a ") + kFields,
        whole.substr(0, whole.rfind(' ')),  // the last field that counts
        absl::StrCat("42 (a) S 1 2 3 0 -1 4194560 1500 0 2 0 123 x 7 8 20 0 3 0 987654 25165824 512")}) {
    EXPECT_FALSE(ParseProcessStat(text).has_value()) << '"' << text << '"';
  }
}

TEST(ProcessMetrics, ParsesBootTime) {
  EXPECT_EQ(ParseBootTime("cpu  1 2 3\ncpu0 1 2 3\nintr 1 2\nbtime 1700000000\nprocesses 7\n"), 1700000000);
  EXPECT_EQ(ParseBootTime("btime 1"), 1);
  for (const char* text : {"", "btime", "btime x\n", "btime 1 2\n", "xbtime 1\n", "cpu 1\n"}) {
    EXPECT_EQ(ParseBootTime(text), std::nullopt) << '"' << text << '"';
  }
}

TEST(ProcessMetrics, ReadsThisProcess) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const ProcessFigures p = ReadProcessFigures();
  EXPECT_GT(p.resident_bytes, 1 << 20);
  EXPECT_LT(p.resident_bytes, p.virtual_bytes);
  EXPECT_LE(p.start_time_seconds, std::chrono::duration<double>(now).count() + 1);
  EXPECT_GT(p.start_time_seconds, std::chrono::duration<double>(now).count() - 3600) << "a test runs for less";
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(p.max_fds, static_cast<double>(limit.rlim_cur));
}

TEST(ProcessMetrics, CountsOpenFiles) {
  std::vector<int> fds;
  for (int i = 0; i < 5; ++i) fds.push_back(open("/dev/null", O_RDONLY));
  const auto count = [] {
    int open_fds = 0;
    for (int fd = 0; fd < 1024; ++fd) open_fds += fcntl(fd, F_GETFD) != -1;
    return open_fds;
  };
  const int before = count();
  EXPECT_GE(before, 5);
  EXPECT_EQ(ReadProcessFigures().open_fds, before);
  for (const int fd : fds) close(fd);
  EXPECT_EQ(ReadProcessFigures().open_fds, before - 5);
  EXPECT_EQ(count(), before - 5);
}

double CpuSecondsUsed() {
  rusage usage{};
  EXPECT_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

TEST(ProcessMetrics, CountsCpuSeconds) {
  while (CpuSecondsUsed() < 0.3) {
  }
  const double before = CpuSecondsUsed();
  const double cpu = ReadProcessFigures().cpu_seconds;
  constexpr double kTicks = 0.03;  // of user and system time, each rounded down
  EXPECT_GE(cpu, before - kTicks);
  EXPECT_LE(cpu, CpuSecondsUsed() + kTicks);
}

}  // namespace
}  // namespace resnetd::server
