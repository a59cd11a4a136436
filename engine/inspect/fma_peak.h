#ifndef RESNETD_ENGINE_INSPECT_FMA_PEAK_H_
#define RESNETD_ENGINE_INSPECT_FMA_PEAK_H_

#include <string>

// Measures the most that this machine's cores can do right now: fused multiply-adds of float32 in registers only. A
// clock that is shared, throttled or stolen shows here as it does in a network's speed.
namespace resnetd {

// The widest instructions measured: "avx512" or "avx2"; empty where the machine has no AVX2 with FMA.
std::string FmaIsa();

// GFLOP/s of `threads` threads together, a multiply-add counting as two; takes `seconds` and up to a
// millisecond more. The machine must have an FmaIsa().
double MeasureFmaPeak(int threads, double seconds);

}  // namespace resnetd

#endif  // RESNETD_ENGINE_INSPECT_FMA_PEAK_H_
