// Loops over pixels with the channels innermost, which compilers turn into vector code; each is compiled for AVX2 and
// AVX-512 and chosen when the program starts. Both do the same operations in the same order and round alike, so it is
// no matter that ONEDNN_MAX_CPU_ISA does not choose here. Threads take consecutive pixels.
//
// Group normalisation takes three passes over an image: sums around the first value of each group, which give a center;
// sums and squares around that; and the result:
//
//   rest     = mean of (x - center)
//   variance = mean of (x - center)^2 - rest^2
//   factor   = scale / sqrt(variance + epsilon)
//   y        = factor * (x - center) + (shift - factor * rest)
//
// The center is the mean as far as float32 holds it and float32 sums find it. Where deviations are small beside the
// mean, x - center is exact and the rest is what the center lacks (the corrected two-pass algorithm: Chan, Golub and
// LeVeque, Algorithms for Computing the Sample Variance, 1983).
//
// Sums are kept by channel in float over at most kRows pixels, and in double beyond.
#include "engine/kernels/normalise.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/kernels/range.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define RESNETD_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RESNETD_VECTOR_CLONES
#endif

namespace resnetd::kernels {
namespace {

constexpr int64_t kRows = 64;               // pixels whose sum float32 holds well
constexpr int64_t kWorthThreads = 1 << 14;  // elements: what less takes is over before the other threads have begun

// Calls f(thread, threads) in each thread of a team, or once.
template <typename F>
void InThreads(int64_t elements, F f) {
  if (elements < kWorthThreads || omp_get_max_threads() == 1) return f(0, 1);
#pragma omp parallel
  f(omp_get_thread_num(), omp_get_num_threads());
}

// y = f(x, channel), then max(y, 0) if `relu`. Inlined, so that it is compiled for what its caller is compiled for.
template <typename F>
[[gnu::always_inline]] inline void MapPixels(int64_t channels, Range pixels, bool relu, const float* src, float* dst,
                                             F f) {
  const float least = relu ? 0.0f : -INFINITY;
  for (int64_t p = pixels.begin; p < pixels.end; ++p) {
    const float* x = src + p * channels;
    float* y = dst + p * channels;
#pragma GCC ivdep
    for (int64_t c = 0; c < channels; ++c) {
      const float value = f(x[c], c);
      y[c] = value < least ? least : value;  // a NaN stays one
    }
  }
}

RESNETD_VECTOR_CLONES
void ScaleShiftPixels(const float* factor, const float* shift, int64_t channels, Range pixels, bool relu,
                      const float* src, float* dst) {
  MapPixels(channels, pixels, relu, src, dst, [=](float x, int64_t c) { return x * factor[c] + shift[c]; });
}

RESNETD_VECTOR_CLONES
void NormalisePixels(const float* center, const float* factor, const float* shift, int64_t channels, Range pixels,
                     bool relu, const float* src, float* dst) {
  MapPixels(channels, pixels, relu, src, dst,
            [=](float x, int64_t c) { return (x - center[c]) * factor[c] + shift[c]; });
}

// sums[c] += x - center[c] and squares[c] += the square of that, over kPixels pixels.
template <int kPixels>
[[gnu::always_inline]] inline void AddPixels(const float* center, int64_t channels, const float* src, float* sums,
                                             float* squares) {
#pragma GCC ivdep
  for (int64_t c = 0; c < channels; ++c) {
    float sum = 0, square = 0;
#pragma GCC unroll 4
    for (int i = 0; i < kPixels; ++i) {
      const float d = src[i * channels + c] - center[c];
      sum += d;
      square += d * d;
    }
    sums[c] += sum;
    squares[c] += square;
  }
}

// The same over a range of pixels. The sums are read and written once for four of them.
RESNETD_VECTOR_CLONES
void SumPixels(const float* center, int64_t channels, Range pixels, const float* src, float* sums, float* squares) {
  int64_t p = pixels.begin;
  for (; p + 4 <= pixels.end; p += 4) AddPixels<4>(center, channels, src + p * channels, sums, squares);
  for (; p < pixels.end; ++p) AddPixels<1>(center, channels, src + p * channels, sums, squares);
}

// One thread's part of the scratch memory. Squares lie behind their sums, so that both are cleared or added up as one.
struct Scratch {
  double *group_sums, *group_squares;               // {groups} each
  float *sums, *squares, *center, *factor, *shift;  // {channels} each

  Scratch(const GroupNormalise& shape, std::byte* memory) {
    const auto channels = static_cast<int64_t>(shape.scale.size());
    group_sums = reinterpret_cast<double*>(memory);
    group_squares = group_sums + shape.groups;
    sums = reinterpret_cast<float*>(group_squares + shape.groups);
    squares = sums + channels;
    center = squares + channels;
    factor = center + channels;
    shift = factor + channels;
  }
  static int64_t Bytes(const GroupNormalise& shape) {
    const auto bytes = static_cast<int64_t>(2 * shape.groups * sizeof(double) + 5 * shape.scale.size() * sizeof(float));
    return (bytes + 63) / 64 * 64;
  }
};

// Adds up by group what `center` is away from the pixels, and its square.
void SumGroups(const GroupNormalise& shape, const float* center, const Range& pixels, const float* src,
               const Scratch& own) {
  const auto channels = static_cast<int64_t>(shape.scale.size()), group = channels / shape.groups;
  std::fill_n(own.group_sums, 2 * shape.groups, 0.0);
  for (int64_t p = pixels.begin; p < pixels.end; p += kRows) {
    std::fill_n(own.sums, 2 * channels, 0.0f);
    SumPixels(center, channels, {p, std::min(p + kRows, pixels.end)}, src, own.sums, own.squares);
    for (int64_t g = 0, c = 0; g < shape.groups; ++g) {
      for (const int64_t end = c + group; c < end; ++c) {
        own.group_sums[g] += own.sums[c];
        own.group_squares[g] += own.squares[c];
      }
    }
  }
}

// One image, by a team that divides its pixels. What the team shares lies in the scratch memory of thread `first`.
template <typename Team, typename ScratchOf>
void NormaliseImage(const GroupNormalise& shape, Team in_threads, ScratchOf scratch_of, int first, const float* src,
                    float* dst) {
  const auto channels = static_cast<int64_t>(shape.scale.size()), group = channels / shape.groups;
  const double count = static_cast<double>(shape.pixels * group);
  const Range pixels{0, shape.pixels};
  const Scratch all = scratch_of(first);
  const auto sum = [&] {
    int parts = 1;
    in_threads([&](int thread, int threads) {
      if (thread == 0) parts = threads;
      SumGroups(shape, all.center, PartOf(pixels, thread, threads), src, scratch_of(first + thread));
    });
    for (int t = 1; t < parts; ++t) {
      const Scratch part = scratch_of(first + t);
      for (int64_t g = 0; g < 2 * shape.groups; ++g) all.group_sums[g] += part.group_sums[g];
    }
  };
  for (int64_t g = 0; g < shape.groups; ++g) std::fill_n(all.center + g * group, group, src[g * group]);
  sum();
  for (int64_t g = 0; g < shape.groups; ++g) {
    std::fill_n(all.center + g * group, group, static_cast<float>(src[g * group] + all.group_sums[g] / count));
  }
  sum();
  for (int64_t c = 0; c < channels; ++c) {
    const double rest = all.group_sums[c / group] / count;
    const double variance = std::max(all.group_squares[c / group] / count - rest * rest, 0.0);
    const double factor = shape.scale[c] / std::sqrt(variance + shape.epsilon);
    all.factor[c] = static_cast<float>(factor);
    all.shift[c] = static_cast<float>(shape.shift[c] - factor * rest);
  }
  in_threads([&](int thread, int threads) {
    NormalisePixels(all.center, all.factor, all.shift, channels, PartOf(pixels, thread, threads), shape.relu, src, dst);
  });
}

}  // namespace

void RunScaleShift(const ScaleShift& shape, const float* src, float* dst) {
  const int64_t channels = static_cast<int64_t>(shape.factor.size());
  const Range pixels{0, shape.pixels};
  InThreads(shape.pixels * channels, [&](int thread, int threads) {
    ScaleShiftPixels(shape.factor.data(), shape.shift.data(), channels, PartOf(pixels, thread, threads), shape.relu,
                     src, dst);
  });
}

int64_t GroupNormaliseScratch(const GroupNormalise& shape, int threads) {
  return Scratch::Bytes(shape) * threads;
}

void RunGroupNormalise(const GroupNormalise& shape, const float* src, float* scratch, float* dst) {
  const int64_t image = shape.pixels * static_cast<int64_t>(shape.scale.size());
  const int team = omp_get_max_threads();
  const auto scratch_of = [&](int thread) {
    return Scratch(shape, reinterpret_cast<std::byte*>(scratch) + thread * Scratch::Bytes(shape));
  };
  if (shape.images % team == 0) {  // each thread has images of its own
    const auto alone = [](const auto& f) { f(0, 1); };
    InThreads(shape.images * image, [&](int thread, int threads) {
      const Range own = PartOf({0, shape.images}, thread, threads);
      for (int64_t i = own.begin; i < own.end; ++i) {
        NormaliseImage(shape, alone, scratch_of, thread, src + i * image, dst + i * image);
      }
    });
    return;
  }
  const auto together = [&](const auto& f) { InThreads(image, f); };
  for (int64_t i = 0; i < shape.images; ++i) {
    NormaliseImage(shape, together, scratch_of, 0, src + i * image, dst + i * image);
  }
}

}  // namespace resnetd::kernels
