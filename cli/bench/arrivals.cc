// Exponential gaps by inversion: -mean * ln(1 - u), u uniform in [0, 1).
#include "cli/bench/arrivals.h"

#include <cmath>

namespace resnetd::cli {

double Arrivals::Next() {
  constexpr int kMantissaBits = 53;
  const double u = std::ldexp(static_cast<double>(random_() >> (64 - kMantissaBits)), -kMantissaBits);
  now_ += kind_ == ArrivalKind::kConstant ? gap_ : -gap_ * std::log1p(-u);
  return now_;
}

}  // namespace resnetd::cli
