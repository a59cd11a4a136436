#ifndef RESNETD_CLI_BENCH_ARRIVALS_H_
#define RESNETD_CLI_BENCH_ARRIVALS_H_

#include <cstdint>
#include <random>

namespace resnetd::cli {

enum class ArrivalKind : uint8_t {
  kPoisson,   // independent users: exponential gaps
  kConstant,  // equal gaps
};

// When an open-loop client sends. The same seed gives the same times.
class Arrivals {
 public:
  Arrivals(ArrivalKind kind, double per_second, uint64_t seed) : kind_(kind), gap_(1 / per_second), random_(seed) {}

  // The next instant, in seconds from the start. Never falls.
  double Next();

 private:
  const ArrivalKind kind_;
  const double gap_;  // mean, in seconds
  std::mt19937_64 random_;
  double now_ = 0;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_BENCH_ARRIVALS_H_
