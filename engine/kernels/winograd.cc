// dst is covered with tiles of 2x2 pixels, each of which depends on 4x4 of src, two of them shared with the next tile:
//
//   U = GgG'     by input and output channel: the weights' 3x3 to 16 values
//   V = B'dB     by tile and input channel: 4x4 of src to 16 values
//   M = U V      16 matrix products over the channels
//   y = A'MA     by tile and output channel: 16 values to 2x2 of dst
//
//        | 1    0    0  |         | 1  0 -1  0 |         | 1  1  1  0 |
//   G  = | 1/2  1/2 1/2 |    B' = | 0  1  1  0 |    A' = | 0  1 -1 -1 |
//        | 1/2 -1/2 1/2 |         | 0 -1  1  0 |
//        | 0    0    1  |         | 0  1  0 -1 |
//
// Memory holds the 9 weights, and not U, which is 16/9 of them: it is computed anew for each chunk of tiles, of as many
// output channels at a time as a product takes. That costs 4 % where a chunk is full, and what is read is less. A chunk
// is several blocks; a product takes a block, and keeps its results in registers, kBlock x 2 vectors of 32, while it
// runs over the input channels.
//
//   for each chunk:                  V of its tiles
//     for 16 k output channels:      U
//       for each block:              M, and its part of dst
//
//   packed   {out / (16 k), in, 9, 16 k}           k: vectors of output channels at a time, 2 or 1
//   U        {16, in, 16 k}
//   V        {blocks, 16, in / 16, tiles, 16}
//   M        {16, tiles, 16 k}
//
// Threads take consecutive tiles, and mostly find in src what they wrote themselves; or output channels, where there
// are too few tiles to spread U's cost: then each computes the whole V, and half of src comes from other cores.
#include "engine/kernels/winograd.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "engine/kernels/avx512.h"

namespace resnetd::kernels {
namespace {

constexpr int kLanes = kWinogradChannels;  // floats of a vector
constexpr int kPoints = 16;                // of a transformed tile
constexpr int kBlock = 14;                 // tiles of a product, at most
constexpr int kChunk = 8 * kBlock;         // tiles for which U is computed once, at most
constexpr int kPanelsPay = 4;              // output channels a tile: with more, to divide these costs less

int64_t VectorsOf(int64_t out_channels) {
  return out_channels % (2 * kLanes) == 0 ? 2 : 1;
}

// The distance from one point's values to the next's, which hits no set of the cache 16 times in a row.
constexpr int64_t PointOf(int64_t floats) {
  return floats + kLanes;
}

// The tiles of all images, one after the other.
struct Tiling {
  int64_t rows, columns;  // of an image
  explicit Tiling(const Winograd& shape) : rows((shape.dst_height + 1) / 2), columns((shape.dst_width + 1) / 2) {}
  int64_t count(int64_t images) const { return images * rows * columns; }
};

struct Tile {
  int64_t image, y, x;  // of its first pixel in dst
  Tile(const Tiling& tiling, int64_t index)
      : image(index / (tiling.rows * tiling.columns)),
        y(index / tiling.columns % tiling.rows * 2),
        x(index % tiling.columns * 2) {}
  void Next(const Tiling& tiling) {
    if ((x += 2) < 2 * tiling.columns) return;
    x = 0;
    if ((y += 2) < 2 * tiling.rows) return;
    y = 0;
    ++image;
  }
};

// U of 16 k output channels: from packed {in, 9, 16 k}.
template <int kVectors>
RESNETD_AVX512 void TransformWeights(int64_t in_channels, const float* packed, float* u) {
  constexpr int kWidth = kVectors * kLanes;
  const __m512 half = _mm512_set1_ps(0.5f);
  const int64_t point = PointOf(in_channels * kWidth);
  for (int64_t i = 0; i < in_channels * kVectors; ++i) {
    const float* g = packed + i / kVectors * 9 * kWidth + i % kVectors * kLanes;
    __m512 rows[4][3];
#pragma GCC unroll 3
    for (int x = 0; x < 3; ++x) {
      const __m512 a = _mm512_load_ps(g + x * kWidth), b = _mm512_load_ps(g + (3 + x) * kWidth),
                   c = _mm512_load_ps(g + (6 + x) * kWidth), sum = _mm512_add_ps(a, c);
      rows[0][x] = a;
      rows[1][x] = _mm512_mul_ps(half, _mm512_add_ps(sum, b));
      rows[2][x] = _mm512_mul_ps(half, _mm512_sub_ps(sum, b));
      rows[3][x] = c;
    }
    float* out = u + i * kLanes;
#pragma GCC unroll 4
    for (int y = 0; y < 4; ++y) {
      const __m512 sum = _mm512_add_ps(rows[y][0], rows[y][2]);
      _mm512_store_ps(out + 4 * y * point, rows[y][0]);
      _mm512_store_ps(out + (4 * y + 1) * point, _mm512_mul_ps(half, _mm512_add_ps(sum, rows[y][1])));
      _mm512_store_ps(out + (4 * y + 2) * point, _mm512_mul_ps(half, _mm512_sub_ps(sum, rows[y][1])));
      _mm512_store_ps(out + (4 * y + 3) * point, rows[y][2]);
    }
  }
}

RESNETD_AVX512 inline void TransformLine(__m512& a, __m512& b, __m512& c, __m512& d) {
  const __m512 first = _mm512_sub_ps(a, c), last = _mm512_sub_ps(b, d);
  const __m512 sum = _mm512_add_ps(b, c), difference = _mm512_sub_ps(c, b);
  a = first, b = sum, c = difference, d = last;
}

// V of one tile: point p of channels [16 c, 16 c + 16) goes to v + p * point + c * channels.
RESNETD_AVX512 void TransformInput(const Winograd& shape, const Tile& tile, const float* src, int64_t point,
                                   int64_t channels, float* v) {
  const int64_t top = tile.y - shape.pad_top, left = tile.x - shape.pad_left;
  const int64_t row = shape.src_width * shape.in_channels;
  const float* image = src + tile.image * shape.src_height * row;
  // If no pixel lies outside, the loads' masks are constant.
  const bool inner = top >= 0 && top + 4 <= shape.src_height && left >= 0 && left + 4 <= shape.src_width;
  __mmask16 rows[4], columns[4];
  for (int i = 0; i < 4; ++i) {
    rows[i] = top + i >= 0 && top + i < shape.src_height ? 0xffff : 0;
    columns[i] = left + i >= 0 && left + i < shape.src_width ? 0xffff : 0;
  }
  for (int64_t c = 0; c < shape.in_channels; c += kLanes, v += channels) {
    const float* first = image + top * row + left * shape.in_channels + c;
    __m512 d[kPoints];
    if (inner) {
#pragma GCC unroll 16
      for (int i = 0; i < kPoints; ++i) d[i] = _mm512_loadu_ps(first + (i / 4) * row + (i % 4) * shape.in_channels);
    } else {
#pragma GCC unroll 16
      for (int i = 0; i < kPoints; ++i) {
        const __mmask16 inside = rows[i / 4] & columns[i % 4];
        d[i] = _mm512_maskz_loadu_ps(inside, first + (i / 4) * row + (i % 4) * shape.in_channels);
      }
    }
#pragma GCC unroll 4
    for (int x = 0; x < 4; ++x) TransformLine(d[x], d[4 + x], d[8 + x], d[12 + x]);
#pragma GCC unroll 4
    for (int y = 0; y < 16; y += 4) TransformLine(d[y], d[y + 1], d[y + 2], d[y + 3]);
#pragma GCC unroll 16
    for (int i = 0; i < kPoints; ++i) _mm512_store_ps(v + i * point, d[i]);
  }
}

// One point's product: v {in / 16, tiles, 16} with u {in, 16 vectors} to m {tiles, 16 vectors}.
template <int kTiles, int kVectors>
RESNETD_AVX512 void Multiply(const float* v, const float* u, int64_t in_channels, float* m) {
  __m512 sums[kTiles][kVectors];
#pragma GCC unroll 28
  for (int t = 0; t < kTiles; ++t) {
    for (int k = 0; k < kVectors; ++k) sums[t][k] = _mm512_setzero_ps();
  }
  for (int64_t c = 0; c < in_channels; c += kLanes, v += kTiles * kLanes) {
    for (int i = 0; i < kLanes; ++i, u += kVectors * kLanes) {
      __m512 weights[kVectors];
#pragma GCC unroll 2
      for (int k = 0; k < kVectors; ++k) weights[k] = _mm512_load_ps(u + k * kLanes);
#pragma GCC unroll 14
      for (int t = 0; t < kTiles; ++t) {
        const __m512 value = _mm512_set1_ps(v[t * kLanes + i]);
#pragma GCC unroll 2
        for (int k = 0; k < kVectors; ++k) sums[t][k] = _mm512_fmadd_ps(value, weights[k], sums[t][k]);
      }
    }
  }
#pragma GCC unroll 14
  for (int t = 0; t < kTiles; ++t) {
#pragma GCC unroll 2
    for (int k = 0; k < kVectors; ++k) _mm512_store_ps(m + (t * kVectors + k) * kLanes, sums[t][k]);
  }
}

using Multiplication = void (*)(const float* v, const float* u, int64_t in_channels, float* m);
// The index is the number of tiles, less one.
template <int kVectors, int... kTiles>
constexpr std::array<Multiplication, kBlock> Multiplications(std::integer_sequence<int, kTiles...>) {
  return {Multiply<kTiles + 1, kVectors>...};
}

// dst of one tile and 16 channels, from M: point p lies at m + p * point. `offset` is that of the first channel.
RESNETD_AVX512 void TransformOutput(const Winograd& shape, const Tile& tile, const float* m, int64_t point,
                                    const float* bias, const float* residual, int64_t offset, float* dst) {
  __m512 sums[2][4];
#pragma GCC unroll 4
  for (int x = 0; x < 4; ++x) {
    const __m512 b = _mm512_load_ps(m + (4 + x) * point), c = _mm512_load_ps(m + (8 + x) * point);
    sums[0][x] = _mm512_add_ps(_mm512_load_ps(m + x * point), _mm512_add_ps(b, c));
    sums[1][x] = _mm512_sub_ps(_mm512_sub_ps(b, c), _mm512_load_ps(m + (12 + x) * point));
  }
  const __m512 zero = _mm512_setzero_ps(), shift = bias != nullptr ? _mm512_loadu_ps(bias + offset) : zero;
  __m512 results[4];
#pragma GCC unroll 2
  for (int y = 0; y < 2; ++y) {
    const __m512 middle = _mm512_add_ps(sums[y][1], sums[y][2]), difference = _mm512_sub_ps(sums[y][1], sums[y][2]);
    results[2 * y] = _mm512_add_ps(_mm512_add_ps(sums[y][0], middle), shift);
    results[2 * y + 1] = _mm512_add_ps(_mm512_sub_ps(difference, sums[y][3]), shift);
  }
  const int64_t first =
      ((tile.image * shape.dst_height + tile.y) * shape.dst_width + tile.x) * shape.out_channels + offset;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    if (tile.y + i / 2 >= shape.dst_height || tile.x + i % 2 >= shape.dst_width) continue;
    const int64_t at = first + ((i / 2) * shape.dst_width + i % 2) * shape.out_channels;
    __m512 result = results[i];
    if (residual != nullptr) result = _mm512_add_ps(result, _mm512_loadu_ps(residual + at));
    if (shape.relu) result = _mm512_maskz_max_ps(0xffff, zero, result);  // in this order a NaN stays one
    _mm512_storeu_ps(dst + at, result);
  }
}

// The scratch memory of a thread.
struct Scratch {
  float *u, *v, *m;
  Scratch(const Winograd& shape, float* memory) : u(memory), v(u + UFloats(shape)), m(v + VFloats(shape)) {}
  static int64_t Width(const Winograd& shape) { return VectorsOf(shape.out_channels) * kLanes; }
  static int64_t UFloats(const Winograd& shape) { return kPoints * PointOf(shape.in_channels * Width(shape)); }
  static int64_t VFloats(const Winograd& shape) {
    const Range tiles{0, std::min<int64_t>(kChunk, Tiling(shape).count(shape.images))};
    return tiles.end * kPoints * PointOf(shape.in_channels);
  }
  static int64_t Floats(const Winograd& shape) {
    return UFloats(shape) + VFloats(shape) + kPoints * PointOf(kBlock * Width(shape));
  }
};

template <int kVectors>
void RunChunk(const Winograd& shape, const Range& tiles, const Range& panels, const WinogradBuffers& buffers,
              const Scratch& scratch) {
  constexpr auto kMultiplications = Multiplications<kVectors>(std::make_integer_sequence<int, kBlock>());
  constexpr int64_t kWidth = kVectors * kLanes;
  const Tiling tiling(shape);
  const int64_t blocks = PartsOfAtMost(kBlock, tiles);
  // A block's V has its place behind those of the tiles before it.
  const auto v_of = [&](const Range& block) {
    return scratch.v + (block.begin - tiles.begin) * kPoints * PointOf(shape.in_channels);
  };
  for (int64_t b = 0; b < blocks; ++b) {
    const Range block = PartOf(tiles, b, blocks);
    Tile tile(tiling, block.begin);
    for (int64_t t = 0; t < block.size(); ++t, tile.Next(tiling)) {
      TransformInput(shape, tile, buffers.src, PointOf(shape.in_channels * block.size()), block.size() * kLanes,
                     v_of(block) + t * kLanes);
    }
  }
  for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
    TransformWeights<kVectors>(shape.in_channels, buffers.packed + panel * shape.in_channels * 9 * kWidth, scratch.u);
    for (int64_t b = 0; b < blocks; ++b) {
      const Range block = PartOf(tiles, b, blocks);
      const Multiplication multiply = kMultiplications[static_cast<size_t>(block.size()) - 1];
      const int64_t m_point = PointOf(block.size() * kWidth);
      for (int p = 0; p < kPoints; ++p) {
        multiply(v_of(block) + p * PointOf(shape.in_channels * block.size()),
                 scratch.u + p * PointOf(shape.in_channels * kWidth), shape.in_channels, scratch.m + p * m_point);
      }
      Tile tile(tiling, block.begin);
      for (int64_t t = 0; t < block.size(); ++t, tile.Next(tiling)) {
        for (int64_t k = 0; k < kVectors; ++k) {
          TransformOutput(shape, tile, scratch.m + (t * kVectors + k) * kLanes, m_point, buffers.bias, buffers.residual,
                          panel * kWidth + k * kLanes, buffers.dst);
        }
      }
    }
  }
}

}  // namespace

int64_t WinogradWidth(int64_t out_channels) {
  return VectorsOf(out_channels) * kLanes;
}

void PackWinograd(int64_t in_channels, int64_t out_channels, const float* weights, float* packed) {
  const int64_t width = WinogradWidth(out_channels);
  for (int64_t panel = 0; panel < out_channels; panel += width) {
    for (int64_t in = 0; in < in_channels; ++in) {
      for (int64_t tap = 0; tap < 9; ++tap) {
        for (int64_t lane = 0; lane < width; ++lane) {
          *packed++ = weights[((panel + lane) * in_channels + in) * 9 + tap];
        }
      }
    }
  }
}

int64_t WinogradScratch(const Winograd& shape) {
  return Scratch::Floats(shape) * static_cast<int64_t>(sizeof(float));
}

void RunWinograd(const Team& team, const Winograd& shape, const WinogradBuffers& buffers) {
  const int64_t vectors = VectorsOf(shape.out_channels);
  const Range tiles{0, Tiling(shape).count(shape.images)}, panels{0, shape.out_channels / (vectors * kLanes)};
  const bool by_panel = shape.out_channels > kPanelsPay * tiles.end && panels.end % team.threads == 0;
  const Range own_tiles = by_panel ? tiles : team.PartOf(tiles), own_panels = by_panel ? team.PartOf(panels) : panels;
  const Scratch own(shape, buffers.scratch);
  const auto run = vectors == 2 ? RunChunk<2> : RunChunk<1>;
  const int64_t chunks = PartsOfAtMost(kChunk, own_tiles);
  for (int64_t c = 0; c < chunks; ++c) run(shape, PartOf(own_tiles, c, chunks), own_panels, buffers, own);
}

}  // namespace resnetd::kernels
