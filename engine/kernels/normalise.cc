// Loops over pixels with the channels innermost, which compilers turn into vector code; each is compiled for AVX2 and
// AVX-512 and chosen when the program starts. Threads take consecutive pixels.
//
// Group normalisation takes three passes over an image: means, variances around them, and factor * (x - mean) + shift
// with
//
//   factor[c] = scale[c] / sqrt(variance[g] + epsilon)
//
// The mean is subtracted first: factor * x and factor * mean may be large and nearly equal.
//
// Sums are kept by channel in float over at most kRows pixels, and in double beyond.
#include "engine/kernels/normalise.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define RESNETD_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RESNETD_VECTOR_CLONES
#endif

namespace resnetd::kernels {
namespace {

constexpr int64_t kRows = 64;               // pixels whose sum float32 holds well
constexpr int64_t kWorthThreads = 1 << 14;  // elements: what less takes is over before the other threads have begun

struct Range {
  int64_t begin, end;
};

Range ShareOf(int64_t count, int part, int parts) {
  return {count * part / parts, count * (part + 1) / parts};
}

// Calls f(thread, threads) in each thread of a team, or once.
template <typename F>
void InThreads(int64_t elements, F f) {
  if (elements < kWorthThreads || omp_get_max_threads() == 1) return f(0, 1);
#pragma omp parallel
  f(omp_get_thread_num(), omp_get_num_threads());
}

// y = factor * (x - center) + shift; of a normalised map.
RESNETD_VECTOR_CLONES
void NormalisePixels(const float* center, const float* factor, const float* shift, int64_t channels, Range pixels,
                     bool relu, const float* src, float* dst) {
  const float least = relu ? 0.0f : -INFINITY;
  for (int64_t p = pixels.begin; p < pixels.end; ++p) {
    const float* x = src + p * channels;
    float* y = dst + p * channels;
#pragma GCC ivdep
    for (int64_t c = 0; c < channels; ++c) {
      const float value = (x[c] - center[c]) * factor[c] + shift[c];
      y[c] = value < least ? least : value;  // a NaN stays one
    }
  }
}

RESNETD_VECTOR_CLONES
void ScaleShiftPixels(const float* factor, const float* shift, int64_t channels, Range pixels, bool relu,
                      const float* src, float* dst) {
  const float least = relu ? 0.0f : -INFINITY;
  for (int64_t p = pixels.begin; p < pixels.end; ++p) {
    const float* x = src + p * channels;
    float* y = dst + p * channels;
#pragma GCC ivdep
    for (int64_t c = 0; c < channels; ++c) {
      const float value = x[c] * factor[c] + shift[c];
      y[c] = value < least ? least : value;  // a NaN stays one
    }
  }
}

// sums[c] += x - center[c] over the pixels; the same of its square where `squares`.
RESNETD_VECTOR_CLONES
void SumPixels(const float* center, int64_t channels, Range pixels, bool squares, const float* src, float* sums) {
  for (int64_t p = pixels.begin; p < pixels.end; ++p) {
    const float* x = src + p * channels;
#pragma GCC ivdep
    for (int64_t c = 0; c < channels; ++c) {
      const float d = x[c] - center[c];
      sums[c] += squares ? d * d : d;
    }
  }
}

// One thread's part of the scratch memory.
struct Scratch {
  double* group_sums;             // {groups}
  float *sums, *center, *factor;  // {channels} each

  Scratch(const GroupNormalise& shape, std::byte* memory) {
    const auto channels = static_cast<int64_t>(shape.scale.size());
    group_sums = reinterpret_cast<double*>(memory);
    sums = reinterpret_cast<float*>(group_sums + shape.groups);
    center = sums + channels;
    factor = center + channels;
  }
};

// Adds up the pixels by group: of what `center` is away from them, or its square.
void SumGroups(const GroupNormalise& shape, const float* center, Range pixels, bool squares, const float* src,
               const Scratch& own) {
  const auto channels = static_cast<int64_t>(shape.scale.size()), group = channels / shape.groups;
  std::fill_n(own.group_sums, shape.groups, 0.0);
  for (int64_t p = pixels.begin; p < pixels.end; p += kRows) {
    std::fill_n(own.sums, channels, 0.0f);
    SumPixels(center, channels, {p, std::min(p + kRows, pixels.end)}, squares, src, own.sums);
    for (int64_t c = 0; c < channels; ++c) own.group_sums[c / group] += own.sums[c];
  }
}

// One image, by a team that divides its pixels. What the team shares lies in the scratch memory of thread `first`.
template <typename Team, typename ScratchOf>
void NormaliseImage(const GroupNormalise& shape, Team in_threads, ScratchOf scratch_of, int first, const float* src,
                    float* dst) {
  const auto channels = static_cast<int64_t>(shape.scale.size()), group = channels / shape.groups;
  const double count = static_cast<double>(shape.pixels * group);
  const Scratch all = scratch_of(first);
  const auto sum = [&](bool squares) {
    int parts = 1;
    in_threads([&](int thread, int threads) {
      if (thread == 0) parts = threads;
      SumGroups(shape, all.center, ShareOf(shape.pixels, thread, threads), squares, src, scratch_of(first + thread));
    });
    for (int t = 1; t < parts; ++t) {
      for (int64_t g = 0; g < shape.groups; ++g) all.group_sums[g] += scratch_of(first + t).group_sums[g];
    }
  };
  std::fill_n(all.center, channels, 0.0f);
  sum(false);
  for (int64_t c = 0; c < channels; ++c) all.center[c] = static_cast<float>(all.group_sums[c / group] / count);
  sum(true);
  for (int64_t c = 0; c < channels; ++c) {
    all.factor[c] = static_cast<float>(shape.scale[c] / std::sqrt(all.group_sums[c / group] / count + shape.epsilon));
  }
  in_threads([&](int thread, int threads) {
    NormalisePixels(all.center, all.factor, shape.shift.data(), channels, ShareOf(shape.pixels, thread, threads),
                    shape.relu, src, dst);
  });
}

int64_t ThreadScratch(const GroupNormalise& shape) {
  const auto bytes = static_cast<int64_t>(shape.groups * sizeof(double) + 3 * shape.scale.size() * sizeof(float));
  return (bytes + 63) / 64 * 64;
}

}  // namespace

void RunScaleShift(const ScaleShift& shape, const float* src, float* dst) {
  const int64_t channels = static_cast<int64_t>(shape.factor.size());
  InThreads(shape.pixels * channels, [&](int thread, int threads) {
    ScaleShiftPixels(shape.factor.data(), shape.shift.data(), channels, ShareOf(shape.pixels, thread, threads),
                     shape.relu, src, dst);
  });
}

int64_t GroupNormaliseScratch(const GroupNormalise& shape, int threads) {
  return ThreadScratch(shape) * threads;
}

void RunGroupNormalise(const GroupNormalise& shape, const float* src, float* scratch, float* dst) {
  const int64_t image = shape.pixels * static_cast<int64_t>(shape.scale.size());
  const int team = omp_get_max_threads();
  const auto scratch_of = [&](int thread) {
    return Scratch(shape, reinterpret_cast<std::byte*>(scratch) + thread * ThreadScratch(shape));
  };
  if (shape.images % team == 0) {  // each thread has images of its own
    const auto alone = [](const auto& f) { f(0, 1); };
    InThreads(shape.images * image, [&](int thread, int threads) {
      const Range share = ShareOf(shape.images, thread, threads);
      for (int64_t i = share.begin; i < share.end; ++i) {
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
