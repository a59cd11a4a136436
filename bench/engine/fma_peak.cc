// What this machine's cores can do at most, right now: fused multiply-adds of float32 in registers only. A clock that
// is shared, throttled or stolen shows here as it does in a network's speed.
//
//   fma_peak --threads 2 --driven      a JSON line about itself, then one for each line on standard input
//
// Twelve independent chains: a result takes 4 cycles and a core starts at most 2 instructions a cycle, so 8 would do.
#include <immintrin.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "nlohmann/json.hpp"

namespace {

using Clock = std::chrono::steady_clock;

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

// GFLOP/s of the calling thread; a multiply-add counts as two.
double Measure(double seconds) {
  const bool avx512 = HasAvx512();
  const double flops = 2.0 * kChains * kSteps * (avx512 ? 16 : 8);
  [[maybe_unused]] volatile float sink = 0;  // keeps the arithmetic alive
  const Clock::time_point start = Clock::now();
  double took = 0, done = 0;
  while (took < seconds) {
    sink = avx512 ? StepsAvx512(Chains()) : StepsAvx2(Chains());
    done += flops;
    took = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return done / took * 1e-9;
}

nlohmann::ordered_json Round(int threads, double seconds) {
  std::vector<double> gflops(threads);
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back([&, i] { gflops[i] = Measure(seconds); });
  gflops[0] = Measure(seconds);
  for (std::thread& other : others) other.join();
  double sum = 0;
  for (const double g : gflops) sum += g;
  return {{"gflops", sum}};
}

}  // namespace

int main(int argc, char** argv) {
  int threads = 1, rounds = 5;
  double seconds = 0.1;
  bool driven = false;
  CLI::App app{"Measures the peak of float32 multiply-adds", "fma_peak"};
  app.add_option("--threads", threads)->capture_default_str()->check(CLI::Range(1, 1024));
  app.add_option("--seconds", seconds, "Least time of a round")->capture_default_str();
  auto* rounds_option = app.add_option("--rounds", rounds)->capture_default_str();
  app.add_flag("--driven", driven, "A round for each line on standard input")->excludes(rounds_option);
  CLI11_PARSE(app, argc, argv);
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::cerr << "fma_peak: this machine has no AVX2 with FMA\n";
    return 1;
  }
  const nlohmann::ordered_json description = {{"threads", threads}, {"isa", HasAvx512() ? "avx512" : "avx2"}};
  std::cout << description.dump() << std::endl;
  if (driven) {
    for (std::string line; std::getline(std::cin, line);) std::cout << Round(threads, seconds).dump() << std::endl;
  } else {
    for (int i = 0; i < rounds; ++i) std::cout << Round(threads, seconds).dump() << std::endl;
  }
  return 0;
}
