// Loops over pixels with the channels innermost, which compilers turn into vector code; each is compiled for AVX2 and
// AVX-512 and chosen when the program starts. Both do the same operations in the same order and round alike, so it is
// no matter that ONEDNN_MAX_CPU_ISA does not choose here. Threads take consecutive pixels, or in group
// normalisation whole images where these divide evenly.
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

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/kernels/vector_clones.h"

namespace resnetd::kernels {
namespace {

constexpr int64_t kRows = 64;  // pixels whose sum float32 holds well

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
  double* parts[2];  // by pass, {2 groups}: of this thread's pixels; a slower thread may still read those of the other
  double *group_sums, *group_squares;               // {groups} each, of all pixels
  float *sums, *squares, *center, *factor, *shift;  // {channels} each

  Scratch(const GroupNormalise& shape, float* memory, int thread) {
    const auto channels = static_cast<int64_t>(shape.scale.size());
    auto* own = reinterpret_cast<std::byte*>(memory) + thread * Bytes(shape);
    parts[0] = reinterpret_cast<double*>(own);
    parts[1] = parts[0] + 2 * shape.groups;
    group_sums = parts[1] + 2 * shape.groups;
    group_squares = group_sums + shape.groups;
    sums = reinterpret_cast<float*>(group_squares + shape.groups);
    squares = sums + channels;
    center = squares + channels;
    factor = center + channels;
    shift = factor + channels;
  }
  static int64_t Bytes(const GroupNormalise& shape) {
    const auto bytes = static_cast<int64_t>(6 * shape.groups * sizeof(double) + 5 * shape.scale.size() * sizeof(float));
    return (bytes + 63) / 64 * 64;
  }
};

// Adds up by group what the center is away from the pixels, and its square.
void SumPart(const GroupNormalise& shape, const Range& pixels, const float* src, const Scratch& own, double* part) {
  const auto channels = static_cast<int64_t>(shape.scale.size()), group = channels / shape.groups;
  std::fill_n(part, 2 * shape.groups, 0.0);
  for (int64_t p = pixels.begin; p < pixels.end; p += kRows) {
    std::fill_n(own.sums, 2 * channels, 0.0f);
    SumPixels(own.center, channels, {p, std::min(p + kRows, pixels.end)}, src, own.sums, own.squares);
    for (int64_t g = 0, c = 0; g < shape.groups; ++g) {
      for (const int64_t end = c + group; c < end; ++c) {
        part[g] += own.sums[c];
        part[shape.groups + g] += own.squares[c];
      }
    }
  }
}

// One image, whose pixels the team divides. What the sums yield each thread computes for itself.
void NormaliseImage(const Team& team, const GroupNormalise& shape, const float* src, float* scratch, float* dst) {
  const auto channels = static_cast<int64_t>(shape.scale.size()), group = channels / shape.groups;
  const double count = static_cast<double>(shape.pixels * group);
  const Range pixels = team.PartOf({0, shape.pixels});
  const Scratch own(shape, scratch, team.thread);
  const auto sum = [&](int pass) {
    SumPart(shape, pixels, src, own, own.parts[pass]);
    team.Barrier();
    for (int t = 0; t < team.threads; ++t) {
      const double* part = Scratch(shape, scratch, t).parts[pass];
      for (int64_t g = 0; g < 2 * shape.groups; ++g) own.group_sums[g] = (t == 0 ? 0 : own.group_sums[g]) + part[g];
    }
  };
  for (int64_t g = 0; g < shape.groups; ++g) std::fill_n(own.center + g * group, group, src[g * group]);
  sum(0);
  for (int64_t g = 0; g < shape.groups; ++g) {
    std::fill_n(own.center + g * group, group, static_cast<float>(src[g * group] + own.group_sums[g] / count));
  }
  sum(1);
  for (int64_t c = 0; c < channels; ++c) {
    const double rest = own.group_sums[c / group] / count;
    const double variance = std::max(own.group_squares[c / group] / count - rest * rest, 0.0);
    const double factor = shape.scale[c] / std::sqrt(variance + shape.epsilon);
    own.factor[c] = static_cast<float>(factor);
    own.shift[c] = static_cast<float>(shape.shift[c] - factor * rest);
  }
  NormalisePixels(own.center, own.factor, own.shift, channels, pixels, shape.relu, src, dst);
}

}  // namespace

void RunScaleShift(const Team& team, const ScaleShift& shape, const float* src, float* dst) {
  ScaleShiftPixels(shape.factor.data(), shape.shift.data(), static_cast<int64_t>(shape.factor.size()),
                   team.PartOf({0, shape.pixels}), shape.relu, src, dst);
}

int64_t GroupNormaliseScratch(const GroupNormalise& shape, int threads) {
  return Scratch::Bytes(shape) * threads;
}

void RunGroupNormalise(const Team& team, const GroupNormalise& shape, const float* src, float* scratch, float* dst) {
  const int64_t image = shape.pixels * static_cast<int64_t>(shape.scale.size());
  const int64_t floats = Scratch::Bytes(shape) / static_cast<int64_t>(sizeof(float));
  ForEachImage(team, shape.images, floats, scratch, [&](const Team& its, int64_t i, float* own) {
    NormaliseImage(its, shape, src + i * image, own, dst + i * image);
  });
}

}  // namespace resnetd::kernels
