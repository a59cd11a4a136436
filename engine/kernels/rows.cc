// Sums of squares are kept in 16 lanes over at most kBlock values, in double beyond: the lanes are the same for every
// instruction set, so that all of them add in one order. As in normalise.cc, GCC makes vector code of the loops.
#include "engine/kernels/rows.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/kernels/vector_clones.h"

namespace resnetd::kernels {
namespace {

constexpr int64_t kLanes = 16, kBlock = 1024;
constexpr int64_t kRows = 64;  // pixels whose sum float32 holds well

RESNETD_VECTOR_CLONES
double SumOfSquares(const float* x, int64_t count) {
  double sum = 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, count);
    float lanes[kLanes] = {};
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += x[i + lane] * x[i + lane];
    }
    for (; i < end; ++i) lanes[i % kLanes] += x[i] * x[i];
    for (const float lane : lanes) sum += lane;
  }
  return sum;
}

RESNETD_VECTOR_CLONES
void Scale(const float* src, int64_t count, float factor, float* dst) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) dst[i] = src[i] * factor;
}

// sums[c] += the square of each pixel's channel c.
RESNETD_VECTOR_CLONES
void AddSquares(const float* src, int64_t pixels, int64_t channels, float* sums) {
  for (int64_t p = 0; p < pixels; ++p) {
    const float* x = src + p * channels;
#pragma GCC ivdep
    for (int64_t c = 0; c < channels; ++c) sums[c] += x[c] * x[c];
  }
}

RESNETD_VECTOR_CLONES
void ScaleShift(const float* src, int64_t pixels, int64_t channels, const float* factor, const float* shift,
                float* dst) {
  for (int64_t p = 0; p < pixels; ++p) {
    const float* x = src + p * channels;
    float* y = dst + p * channels;
#pragma GCC ivdep
    for (int64_t c = 0; c < channels; ++c) y[c] = x[c] * factor[c] + shift[c];
  }
}

// One thread's part of the scratch memory.
struct Scratch {
  double* squares;        // {channels}: of this thread's pixels
  float *sums, *factors;  // {channels} each

  Scratch(int64_t channels, float* memory, int thread) {
    auto* own = reinterpret_cast<std::byte*>(memory) + thread * Bytes(channels);
    squares = reinterpret_cast<double*>(own);
    sums = reinterpret_cast<float*>(squares + channels);
    factors = sums + channels;
  }
  static int64_t Bytes(int64_t channels) {
    const auto bytes = channels * static_cast<int64_t>(sizeof(double) + 2 * sizeof(float));
    return (bytes + 63) / 64 * 64;
  }
};

// One image, whose pixels the team divides. What the sums yield each thread computes for itself.
void NormaliseImage(const Team& team, const ResponseNormalise& shape, const float* src, float* scratch, float* dst) {
  const auto channels = static_cast<int64_t>(shape.scale.size());
  const Range pixels = team.PartOf({0, shape.pixels});
  const Scratch own(channels, scratch, team.thread);
  std::fill_n(own.squares, channels, 0.0);
  for (int64_t p = pixels.begin; p < pixels.end; p += kRows) {
    std::fill_n(own.sums, channels, 0.0f);
    AddSquares(src + p * channels, std::min(kRows, pixels.end - p), channels, own.sums);
    for (int64_t c = 0; c < channels; ++c) own.squares[c] += own.sums[c];
  }
  team.Barrier();
  double mean = 0;
  for (int64_t c = 0; c < channels; ++c) {
    double squares = 0;
    for (int t = 0; t < team.threads; ++t) squares += Scratch(channels, scratch, t).squares[c];
    const double length = std::sqrt(squares);
    own.factors[c] = static_cast<float>(length);
    mean += length / static_cast<double>(channels);
  }
  for (int64_t c = 0; c < channels; ++c) {
    own.factors[c] = static_cast<float>(1 + shape.scale[c] * (own.factors[c] / (mean + shape.epsilon)));
  }
  ScaleShift(src + pixels.begin * channels, pixels.size(), channels, own.factors, shape.shift.data(),
             dst + pixels.begin * channels);
  team.Barrier();  // the sums are read until here
}

}  // namespace

void RunL2Normalise(const Team& team, const L2Normalise& shape, const float* src, float* dst) {
  const Range rows = team.PartOf({0, shape.rows});
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const float* x = src + row * shape.width;
    const double length = std::sqrt(SumOfSquares(x, shape.width) + shape.inside);
    const double factor = 1 / (std::max<double>(length, shape.floor) + shape.beside);
    Scale(x, shape.width, static_cast<float>(factor), dst + row * shape.width);
  }
}

// The window's sum moves along with it; in double, what is added and taken away again leaves nothing that matters.
void RunLocalResponseNormalise(const Team& team, const LocalResponseNormalise& shape, const float* src, float* dst) {
  const Range rows = team.PartOf({0, shape.rows});
  const int64_t width = shape.width, before = std::min((shape.size - 1) / 2, width);
  const int64_t behind = std::min(shape.size - 1 - (shape.size - 1) / 2, width);
  const double each = shape.alpha / static_cast<double>(shape.size);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const float* x = src + row * width;
    const auto square = [x](int64_t c) { return static_cast<double>(x[c]) * x[c]; };
    double sum = 0;
    for (int64_t c = 0; c < std::min(behind, width); ++c) sum += square(c);
    for (int64_t c = 0; c < width; ++c) {
      if (c + behind < width) sum += square(c + behind);
      if (c - before > 0) sum -= square(c - before - 1);
      dst[row * width + c] =
          static_cast<float>(x[c] * std::pow(shape.bias + each * std::max(sum, 0.0), -static_cast<double>(shape.beta)));
    }
  }
}

int64_t ResponseNormaliseScratch(const ResponseNormalise& shape, int threads) {
  return Scratch::Bytes(static_cast<int64_t>(shape.scale.size())) * threads;
}

void RunResponseNormalise(const Team& team, const ResponseNormalise& shape, const float* src, float* scratch,
                          float* dst) {
  const auto channels = static_cast<int64_t>(shape.scale.size());
  const int64_t image = shape.pixels * channels;
  const int64_t floats = Scratch::Bytes(channels) / static_cast<int64_t>(sizeof(float));
  ForEachImage(team, shape.images, floats, scratch, [&](const Team& its, int64_t i, float* own) {
    NormaliseImage(its, shape, src + i * image, own, dst + i * image);
  });
}

}  // namespace resnetd::kernels
