// Twelve independent chains: a result takes 4 cycles and a core starts at most 2 instructions a cycle, so 8 would do.
#include "engine/inspect/fma_peak.h"

#include <immintrin.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

#include "base/time.h"

namespace resnetd {
namespace {

constexpr int kChains = 12;
constexpr int64_t kSteps = 100'000;  // between two looks at the clock: 0.1 ms or so
using Chains = std::make_index_sequence<kChains>;

// x = 0.5 x + 1 tends to 2: no overflow, nothing denormal. Chains that started alike would be one to the compiler.
template <size_t... I>
__attribute__((target("avx512f"))) float StepsAvx512(std::index_sequence<I...>) {
  const __m512 half = _mm512_set1_ps(0.5f), one = _mm512_set1_ps(1.0f);
  __m512 x[kChains] = {_mm512_set1_ps(I)...};
  for (int64_t step = 0; step < kSteps; ++step) ((x[I] = _mm512_fmadd_ps(x[I], half, one)), ...);
  return (_mm512_cvtss_f32(x[I]) + ...);
}

template <size_t... I>
__attribute__((target("avx2,fma"))) float StepsAvx2(std::index_sequence<I...>) {
  const __m256 half = _mm256_set1_ps(0.5f), one = _mm256_set1_ps(1.0f);
  __m256 x[kChains] = {_mm256_set1_ps(I)...};
  for (int64_t step = 0; step < kSteps; ++step) ((x[I] = _mm256_fmadd_ps(x[I], half, one)), ...);
  return (_mm256_cvtss_f32(x[I]) + ...);
}

bool HasAvx512() {
  return __builtin_cpu_supports("avx512f") != 0;
}

// Measures the calling thread.
double Measure(double seconds) {
  const bool avx512 = HasAvx512();
  const double flops = 2.0 * kChains * kSteps * (avx512 ? 16 : 8);
  [[maybe_unused]] volatile float sink = 0;  // keeps the arithmetic alive
  const Time start = Now();
  double took = 0, done = 0;
  while (took < seconds) {
    sink = avx512 ? StepsAvx512(Chains()) : StepsAvx2(Chains());
    done += flops;
    took = std::chrono::duration<double>(Now() - start).count();
  }
  return done / took * 1e-9;
}

}  // namespace

std::string FmaIsa() {
  if (HasAvx512()) return "avx512";
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "avx2" : "";
}

double MeasureFmaPeak(int threads, double seconds) {
  std::vector<double> gflops(static_cast<size_t>(threads));
  std::vector<std::thread> others;
  for (size_t i = 1; i < gflops.size(); ++i) others.emplace_back([&, i] { gflops[i] = Measure(seconds); });
  gflops[0] = Measure(seconds);
  for (std::thread& other : others) other.join();
  return std::accumulate(gflops.begin(), gflops.end(), 0.0);
}

}  // namespace resnetd
