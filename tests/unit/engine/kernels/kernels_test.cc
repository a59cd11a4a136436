// That kernels write what is theirs and nothing else. In a plan another buffer lies behind, whose owner may have died:
// what a kernel computes is compared with the reference in onednn/kernels_test.cc and onednn/layers_test.cc.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/kernels/grouped_convolution.h"
#include "engine/kernels/normalise.h"
#include "engine/kernels/rows.h"
#include "engine/kernels/winograd.h"
#include "gtest/gtest.h"

namespace resnetd::kernels {
namespace {

// Holds so many floats, all `value`, aligned to 64 bytes, between two rows of guards.
class Buffer {
 public:
  Buffer(int64_t floats, float value) : lines_(static_cast<size_t>((floats + 15) / 16) + 2 * kGuards), floats_(floats) {
    std::fill_n(begin(), floats, value);
  }
  float* data() { return begin(); }
  bool GuardsStand() {
    return std::all_of(all(), begin(), [](float x) { return x == kGuard; }) &&
           std::all_of(begin() + floats_, all() + lines_.size() * 16, [](float x) { return x == kGuard; });
  }
  bool Holds(float value) {
    return std::any_of(begin(), begin() + floats_, [value](float x) { return x == value; });
  }

 private:
  static constexpr float kGuard = 12345;
  static constexpr size_t kGuards = 256;  // lines: a row of pixels
  struct alignas(64) Line {
    float floats[16];
    Line() { std::fill_n(floats, 16, kGuard); }
  };
  float* all() { return lines_[0].floats; }
  float* begin() { return lines_[kGuards].floats; }

  std::vector<Line> lines_;
  int64_t floats_;
};

constexpr float kUnwritten = 54321;

// `run` is called by teams of several sizes with a result of `floats` and scratch memory of `scratch_bytes(threads)`.
void ExpectWrites(int64_t floats, const std::function<int64_t(int)>& scratch_bytes,
                  const std::function<void(const Team& team, float* scratch, float* dst)>& run,
                  const std::string& what) {
  for (const int threads : {1, 2, 3, 16}) {
    Buffer dst(floats, kUnwritten), scratch(scratch_bytes(threads) / static_cast<int64_t>(sizeof(float)), NAN);
#pragma omp parallel num_threads(threads)
    run({omp_get_thread_num(), omp_get_num_threads()}, scratch.data(), dst.data());
    EXPECT_TRUE(dst.GuardsStand()) << what << " by " << threads << ": writes outside of its result";
    EXPECT_TRUE(scratch.GuardsStand()) << what << " by " << threads << ": writes outside of its scratch memory";
    EXPECT_FALSE(dst.Holds(kUnwritten)) << what << " by " << threads << ": leaves elements out";
  }
}

int64_t NoScratch(int) {
  return 0;
}

TEST(Kernels, NormalisationWritesItsResult) {
  for (const int64_t images : {1, 3}) {
    for (const int64_t pixels : {1, 15, 66, 961}) {
      for (const int64_t channels : {1, 17, 48}) {
        const std::string what = absl::StrCat(images, " images of ", pixels, " pixels of ", channels, " channels");
        const std::vector<float> ones(static_cast<size_t>(channels), 1);
        const int64_t floats = images * pixels * channels;
        Buffer src(floats, 2);
        const ScaleShift map{.pixels = images * pixels, .factor = ones, .shift = ones, .relu = true};
        ExpectWrites(
            floats, NoScratch, [&](const Team& team, float*, float* dst) { RunScaleShift(team, map, src.data(), dst); },
            what);
        const L2Normalise length{.rows = images * pixels, .width = channels, .floor = 1};
        ExpectWrites(
            floats, NoScratch,
            [&](const Team& team, float*, float* dst) { RunL2Normalise(team, length, src.data(), dst); }, what);
        for (const int64_t size : {1, 4, 99}) {
          const LocalResponseNormalise local{
              .rows = images * pixels, .width = channels, .size = size, .alpha = 1, .beta = 0.75f, .bias = 1};
          ExpectWrites(
              floats, NoScratch,
              [&](const Team& team, float*, float* dst) { RunLocalResponseNormalise(team, local, src.data(), dst); },
              what);
        }
        const ResponseNormalise response{
            .images = images, .pixels = pixels, .epsilon = 1, .scale = ones, .shift = ones};
        ExpectWrites(
            floats, [&](int threads) { return ResponseNormaliseScratch(response, threads); },
            [&](const Team& team, float* scratch, float* dst) {
              RunResponseNormalise(team, response, src.data(), scratch, dst);
            },
            what);
        for (const int64_t groups : {int64_t{1}, channels}) {
          const GroupNormalise norm{.images = images,
                                    .pixels = pixels,
                                    .groups = groups,
                                    .epsilon = 1,
                                    .scale = ones,
                                    .shift = ones,
                                    .relu = true};
          ExpectWrites(
              floats, [&](int threads) { return GroupNormaliseScratch(norm, threads); },
              [&](const Team& team, float* scratch, float* dst) {
                RunGroupNormalise(team, norm, src.data(), scratch, dst);
              },
              absl::StrCat(what, " in ", groups, " groups"));
        }
      }
    }
  }
}

bool HasAvx512() {
  return __builtin_cpu_supports("avx512f") > 0;
}

TEST(Kernels, WinogradWritesItsResult) {
  if (!HasAvx512()) GTEST_SKIP() << "needs AVX-512";
  for (const int64_t images : {1, 3}) {
    for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 6}, {5, 9}, {8, 55}}) {
      for (const int64_t channels : {48, 96}) {
        const Winograd shape{.images = images,
                             .src_height = height,
                             .src_width = width,
                             .dst_height = height,
                             .dst_width = width,
                             .pad_top = 1,
                             .pad_left = 1,
                             .in_channels = 16,
                             .out_channels = channels,
                             .relu = true};
        Buffer src(images * height * width * 16, 1), packed(9 * 16 * channels, 1);
        ExpectWrites(
            images * height * width * channels, [&](int threads) { return WinogradScratch(shape) * threads; },
            [&](const Team& team, float* scratch, float* dst) {
              RunWinograd(team, shape,
                          {.packed = packed.data(),
                           .src = src.data(),
                           .scratch = scratch + team.thread * WinogradScratch(shape) / 4,
                           .dst = dst});
            },
            absl::StrCat(images, " images of ", height, "x", width, " to ", channels, " channels"));
      }
    }
  }
}

TEST(Kernels, GroupedConvolutionWritesItsResult) {
  if (!HasAvx512()) GTEST_SKIP() << "needs AVX-512";
  for (const int64_t images : {1, 3}) {
    for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {5, 13}, {9, 30}}) {
      for (const int64_t stride : {1, 2}) {
        for (const int64_t group : {2, 4, 8, 16}) {
          const GroupedConvolution shape{.images = images,
                                         .src_height = height,
                                         .src_width = width,
                                         .dst_height = (height - 1) / stride + 1,
                                         .dst_width = (width - 1) / stride + 1,
                                         .pad_top = 1,
                                         .pad_left = 1,
                                         .stride = stride,
                                         .channels = 48,
                                         .group_channels = group,
                                         .relu = true};
          Buffer src(images * height * width * 48, 1), packed(9 * 48 * group, 1);
          ExpectWrites(
              images * shape.dst_height * shape.dst_width * 48, NoScratch,
              [&](const Team& team, float*, float* dst) {
                RunGroupedConvolution(team, shape, packed.data(), nullptr, src.data(), dst);
              },
              absl::StrCat(images, " images of ", height, "x", width, " by ", stride, " in groups of ", group));
        }
      }
    }
  }
}

}  // namespace
}  // namespace resnetd::kernels
