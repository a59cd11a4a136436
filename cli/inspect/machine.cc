// A thread that waits for a core is the sign that matters: other programs on other cores disturb nobody, and CPU time
// over wall time says nothing of threads that spin. Linux counts that wait for each thread.
#include "cli/inspect/machine.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"

namespace resnetd::cli {
namespace {

// Medians hide shorter waits. The peak's slices differ by some parts in a hundred on an idle machine too.
constexpr double kMostWaited = 0.02, kMostStolen = 0.02, kMostBelowBest = 0.15;
constexpr size_t kCpuFields = 8;  // user, nice, system, idle, iowait, irq, softirq, steal
constexpr char kThreads[] = "/proc/self/task";

// Sums the waiting of all threads.
std::optional<int64_t> WaitedSoFar() {
  int64_t sum = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator it(kThreads, error), end; !error && it != end; it.increment(error)) {
    const std::optional<int64_t> waited = WaitedOf(ReadKernelFile((it->path() / "schedstat").string()));
    if (!waited.has_value()) return std::nullopt;
    sum += *waited;
  }
  if (error) return std::nullopt;
  return sum;
}

std::optional<CpuTicks> TicksSoFar() {
  return CpuTicksOf(ReadKernelFile("/proc/stat"));
}

std::string Percent(double share) {
  return absl::StrFormat("%.1f %%", 100 * share);
}

}  // namespace

std::string CpuModel(absl::string_view cpuinfo) {
  for (const absl::string_view line : absl::StrSplit(cpuinfo, '\n')) {
    if (!absl::StartsWith(line, "model name")) continue;
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) continue;
    std::string model(line.substr(colon + 1));
    absl::RemoveExtraAsciiWhitespace(&model);
    if (!model.empty()) return model;
  }
  return "unknown CPU";
}

bool Disturbance::busy() const {
  return waited.value_or(0) > kMostWaited || stolen.value_or(0) > kMostStolen || below_best > kMostBelowBest;
}

std::string BusyText(const Disturbance& disturbance) {
  std::vector<std::string> signs;
  if (disturbance.waited.value_or(0) > kMostWaited) {
    signs.push_back(absl::StrCat("its threads waited for a core ", Percent(*disturbance.waited), " of the time"));
  }
  if (disturbance.stolen.value_or(0) > kMostStolen) {
    signs.push_back(absl::StrCat("its host took ", Percent(*disturbance.stolen)));
  }
  if (disturbance.below_best > kMostBelowBest) {
    signs.push_back(absl::StrCat("its peak was mostly ", Percent(disturbance.below_best), " below its best"));
  }
  return signs.empty() ? "" : absl::StrCat("the machine was busy: ", absl::StrJoin(signs, ", "));
}

std::optional<int64_t> WaitedOf(absl::string_view schedstat) {
  const std::vector<absl::string_view> fields = absl::StrSplit(schedstat, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  int64_t waited = 0;
  if (fields.size() != 3 || !absl::SimpleAtoi(fields[1], &waited)) return std::nullopt;
  return waited;
}

std::optional<CpuTicks> CpuTicksOf(absl::string_view stat) {
  const std::vector<absl::string_view> fields = absl::StrSplit(stat.substr(0, stat.find('\n')), ' ', absl::SkipEmpty());
  if (fields.size() < 1 + kCpuFields || fields[0] != "cpu") return std::nullopt;
  CpuTicks ticks;
  for (size_t i = 1; i <= kCpuFields; ++i) {
    if (!absl::SimpleAtoi(fields[i], &ticks.stolen)) return std::nullopt;  // the last one stays
    ticks.all += ticks.stolen;
  }
  return ticks;
}

double BelowBest(absl::Span<const double> values) {
  if (values.empty()) return 0;
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  return 1 - sorted[sorted.size() / 2] / sorted.back();
}

DisturbanceMeter::DisturbanceMeter(int threads)
    : threads_(threads), start_(Now()), waited_(WaitedSoFar()), ticks_(TicksSoFar()) {}

Disturbance DisturbanceMeter::Read(absl::Span<const double> peaks) const {
  Disturbance disturbance;
  disturbance.below_best = BelowBest(peaks);
  const double seconds = Seconds(Now() - start_) * threads_;
  const std::optional<int64_t> waited = WaitedSoFar();
  if (waited_ && waited && seconds > 0) {
    disturbance.waited = std::clamp(static_cast<double>(*waited - *waited_) * 1e-9 / seconds, 0.0, 1.0);
  }
  const std::optional<CpuTicks> ticks = TicksSoFar();
  if (ticks_ && ticks && ticks->all > ticks_->all) {
    disturbance.stolen =
        static_cast<double>(ticks->stolen - ticks_->stolen) / static_cast<double>(ticks->all - ticks_->all);
  }
  return disturbance;
}

}  // namespace resnetd::cli
