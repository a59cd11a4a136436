// 16 output channels depend on the same 16 input channels: whole groups. A vector of them takes part once for each
// channel i of a group, that channel spread over its group's lanes:
//
//   channels of a group: 4            x  =  a b c d | e f g h | ...
//   spread(x, 1)                         =  b b b b | f f f f | ...
//   y(pixel) = sum over taps and i of spread(x(pixel + tap), i) * weights(tap, i)
//
// A spread vector serves the three taps of a row, and weights serve as many neighbouring pixels as there are registers
// for. Threads take rows of the result.
//
//   packed   {channels / 16, 3, 3, group_channels, 16}
#include "engine/kernels/grouped_convolution.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "engine/kernels/avx512.h"

namespace resnetd::kernels {
namespace {

constexpr int kLanes = kGroupedChannels;  // floats of a vector
// All channels go through so many rows of the result before the next are begun: the rows of src that are read stay in
// the second level of the cache, and the weights of 16 channels in the first.
constexpr int64_t kRows = 4;

// Neighbouring pixels of a row at a time: results, spread inputs, and one vector each of weights and indices.
constexpr int MostPixels(int stride) {
  return stride == 1 ? 10 : 7;
}

// A part of a row of the result: pixels [x, x + kPixels) and 16 channels.
struct Run {
  const float* src;      // the channels of the first pixel under the kernel, perhaps outside of the image
  int64_t row, pixel;    // floats from a row and a pixel of src to the next
  int64_t begin, end;    // rows of the kernel that lie in the image
  bool left, right;      // whether the first and the last column that the kernel touches do
  const float* weights;  // {3, 3, group_channels, 16}
  int64_t group_channels;
  const float* bias;  // of these channels, or null
  bool relu;
  float* dst;
  int64_t dst_pixel;
};

template <int kStride, int kPixels>
RESNETD_AVX512 void RunPixels(const Run& run) {
  constexpr int kColumns = (kPixels - 1) * kStride + 3;
  const __m512 zero = _mm512_setzero_ps(), bias = run.bias != nullptr ? _mm512_loadu_ps(run.bias) : zero;
  const __mmask16 left = run.left ? 0xffff : 0, right = run.right ? 0xffff : 0;
  // Lane l holds the first channel of the group that l belongs to.
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i groups =
      _mm512_and_si512(lanes, _mm512_set1_epi32(static_cast<int>(~(run.group_channels - 1) & (kLanes - 1))));
  __m512 sums[kPixels];
#pragma GCC unroll 10
  for (int i = 0; i < kPixels; ++i) sums[i] = bias;
  for (int64_t y = run.begin; y < run.end; ++y) {
    const float* src = run.src + y * run.row;
    const float* weights = run.weights + y * 3 * run.group_channels * kLanes;
    __m512i channel = groups;
    for (int64_t c = 0; c < run.group_channels; ++c, weights += kLanes) {
      __m512 spread[kColumns];
      spread[0] = _mm512_maskz_permutexvar_ps(0xffff, channel, _mm512_maskz_loadu_ps(left, src));
#pragma GCC unroll 16
      for (int i = 1; i < kColumns - 1; ++i) {
        spread[i] = _mm512_maskz_permutexvar_ps(0xffff, channel, _mm512_loadu_ps(src + i * run.pixel));
      }
      spread[kColumns - 1] =
          _mm512_maskz_permutexvar_ps(0xffff, channel, _mm512_maskz_loadu_ps(right, src + (kColumns - 1) * run.pixel));
#pragma GCC unroll 3
      for (int x = 0; x < 3; ++x) {
        const __m512 tap = _mm512_load_ps(weights + x * run.group_channels * kLanes);
#pragma GCC unroll 10
        for (int i = 0; i < kPixels; ++i) sums[i] = _mm512_fmadd_ps(spread[i * kStride + x], tap, sums[i]);
      }
      channel = _mm512_add_epi32(channel, _mm512_set1_epi32(1));
    }
  }
#pragma GCC unroll 10
  for (int i = 0; i < kPixels; ++i) {
    const __m512 sum = run.relu ? _mm512_maskz_max_ps(0xffff, zero, sums[i]) : sums[i];  // a NaN stays one
    _mm512_storeu_ps(run.dst + i * run.dst_pixel, sum);
  }
}

using Runner = void (*)(const Run&);
// The index is the number of pixels, less one.
template <int kStride, int... kPixels>
constexpr std::array<Runner, sizeof...(kPixels)> Runners(std::integer_sequence<int, kPixels...>) {
  return {RunPixels<kStride, kPixels + 1>...};
}
constexpr auto kStride1 = Runners<1>(std::make_integer_sequence<int, MostPixels(1)>());
constexpr auto kStride2 = Runners<2>(std::make_integer_sequence<int, MostPixels(2)>());

struct Arguments {
  const float *packed, *bias, *src;
  float* dst;
};

// Row y of an image's result, 16 channels from `channel` on.
void RunRow(const GroupedConvolution& shape, const Arguments& arguments, int64_t image, int64_t y, int64_t channel) {
  const Range pixels{0, shape.dst_width};
  const int64_t pieces = PartsOfAtMost(MostPixels(static_cast<int>(shape.stride)), pixels);
  const int64_t top = y * shape.stride - shape.pad_top;
  Run run{};
  run.row = shape.src_width * shape.channels;
  run.pixel = run.dst_pixel = shape.channels;
  run.begin = std::max<int64_t>(0, -top);
  run.end = std::min<int64_t>(3, shape.src_height - top);
  run.weights = arguments.packed + channel * 9 * shape.group_channels;
  run.group_channels = shape.group_channels;
  run.bias = arguments.bias != nullptr ? arguments.bias + channel : nullptr;
  run.relu = shape.relu;
  for (int64_t piece = 0; piece < pieces; ++piece) {
    const Range part = PartOf(pixels, piece, pieces);
    const int64_t first = part.begin * shape.stride - shape.pad_left;
    const int64_t last = (part.end - 1) * shape.stride - shape.pad_left + 2;
    run.src = arguments.src + ((image * shape.src_height + top) * shape.src_width + first) * shape.channels + channel;
    run.left = first >= 0;
    run.right = last < shape.src_width;
    run.dst =
        arguments.dst + ((image * shape.dst_height + y) * shape.dst_width + part.begin) * shape.channels + channel;
    const auto runner = static_cast<size_t>(part.size()) - 1;
    (shape.stride == 1 ? kStride1[runner] : kStride2[runner])(run);
  }
}

}  // namespace

void PackGroupedConvolution(int64_t channels, int64_t group_channels, const float* weights, float* packed) {
  for (int64_t block = 0; block < channels; block += kLanes) {
    for (int64_t tap = 0; tap < 9; ++tap) {
      for (int64_t in = 0; in < group_channels; ++in) {
        for (int64_t lane = 0; lane < kLanes; ++lane) {
          *packed++ = weights[((block + lane) * group_channels + in) * 9 + tap];
        }
      }
    }
  }
}

void RunGroupedConvolution(const Team& team, const GroupedConvolution& shape, const float* packed, const float* bias,
                           const float* src, float* dst) {
  const Arguments arguments{packed, bias, src, dst};
  const Range own = team.PartOf({0, shape.images * shape.dst_height});
  for (int64_t first = own.begin; first < own.end; first += kRows) {
    for (int64_t channel = 0; channel < shape.channels; channel += kLanes) {
      for (int64_t row = first; row < std::min(first + kRows, own.end); ++row) {
        RunRow(shape, arguments, row / shape.dst_height, row % shape.dst_height, channel);
      }
    }
  }
}

}  // namespace resnetd::kernels
