#ifndef RESNETD_CLI_INSPECT_MACHINE_H_
#define RESNETD_CLI_INSPECT_MACHINE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/time.h"

// A measurement is believed if the machine is known, and what else it did.
namespace resnetd::cli {

// "model name" of /proc/cpuinfo, its spaces single; "unknown CPU" where it has none.
std::string CpuModel(absl::string_view cpuinfo);

// The signs that a measurement's threads were kept from their cores. Shares are from 0 to 1.
struct Disturbance {
  // The share of the threads' time in which they were ready to run and another ran in their place. Unset where the
  // kernel does not count it.
  std::optional<double> waited{};
  // The share of the machine's time that its host gave to others. Unset where the kernel does not tell.
  std::optional<double> stolen{};
  // By how much the peak was mostly below its best: clock, caches and the other half of a core are shared too.
  double below_best = 0;

  // Whether times are longer for it than they are alone.
  bool busy() const;
};

// "the machine was busy: its threads waited for a core 12.0 % of the time, its host took 3.1 %"; empty if it was not.
std::string BusyText(const Disturbance& disturbance);

// The second number of a thread's schedstat: nanoseconds that it waited for a core. Unset for another text.
std::optional<int64_t> WaitedOf(absl::string_view schedstat);

// The time that the host took, and all time, in the kernel's ticks, from the first line of /proc/stat. Unset likewise.
struct CpuTicks {
  int64_t stolen = 0, all = 0;
};
std::optional<CpuTicks> CpuTicksOf(absl::string_view stat);

// 1 - median / largest; 0 without values.
double BelowBest(absl::Span<const double> values);

// Watches the calling process from its construction on, which is to compute on so many threads.
class DisturbanceMeter {
 public:
  explicit DisturbanceMeter(int threads);
  // Tells what has happened so far. `peaks` are measurements of the machine's peak meanwhile.
  Disturbance Read(absl::Span<const double> peaks) const;

 private:
  const int threads_;
  const Time start_;
  const std::optional<int64_t> waited_;
  const std::optional<CpuTicks> ticks_;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_INSPECT_MACHINE_H_
