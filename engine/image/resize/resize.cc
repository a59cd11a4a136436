// The order of Pillow's resize: first all rows, whose results are rounded to bytes, then all columns, with weights of
// the same kind (axis.cc). The rounding in between is part of the result: networks were trained and evaluated on it.
//
//   byte = clip((2^21 + sum of pixel(j) * weight(j)) >> 22)
//
// Rows of three channels are computed with vectors of AVX2. The instruction that multiplies and adds pairs takes 16
// bits, and a weight has 22 and a sign. So
//
//   weight = 2^11 * high + low         low = its last 11 bits, high = the rest with the sign
//
// and two sums are kept, which wrap around as a single one of 32 bits would. For each group of four sources of an
// output the weights lie as the instruction wants them:
//
//   high0 high1 low0 low1 high2 high3 low2 low3
//
// Half a vector is an output: 16 bytes are read where its sources begin, of which 12 are a group, and put in the order
// red0 red1 green0 green1 blue0 blue1 - -.
#include "engine/image/resize/resize.h"

#include <immintrin.h>

#include <algorithm>

#include "engine/image/resize/vector_clones.h"

namespace resnetd::image {
namespace {

constexpr int kGroup = 4, kLowBits = 11;
constexpr int kHalves = 2 * kGroup, kHalvesOfTwo = 2 * kHalves;  // of a group
constexpr int kGroupBytes = 3 * kGroup, kReadBytes = 16;

uint8_t ToByte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

template <int kChannels>
void RunPlain(const Taps& taps, int first, const uint8_t* row, uint8_t* out) {
  out += static_cast<size_t>(first) * kChannels;
  for (int i = first; i < taps.count(); ++i) {
    const int start = taps.start(i), size = taps.end(i) - start;
    const uint8_t* pixel = row + static_cast<size_t>(start) * kChannels;
    const int32_t* weights = taps.weights(i);
    int32_t sums[kChannels];
    std::fill_n(sums, kChannels, kHalf);
    for (int j = 0; j < size; ++j, pixel += kChannels) {
      for (int c = 0; c < kChannels; ++c) sums[c] += pixel[c] * weights[j];
    }
    for (int c = 0; c < kChannels; ++c) *out++ = ToByte(sums[c]);
  }
}

// Two outputs, each red, green, blue and nothing in 32 bits, whose sources begin at row0 and row1.
__attribute__((target("avx2"))) inline __m256i TwoOutputs(const uint8_t* row0, const uint8_t* row1,
                                                          const int16_t* halves, int groups) {
  const __m256i first_pair =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
  const __m256i second_pair =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
  __m256i high = _mm256_setzero_si256(), low = _mm256_set1_epi32(kHalf);
  for (int g = 0; g < groups; ++g, row0 += kGroupBytes, row1 += kGroupBytes, halves += kHalvesOfTwo) {
    const __m256i pixels =
        _mm256_loadu2_m128i(reinterpret_cast<const __m128i*>(row1), reinterpret_cast<const __m128i*>(row0));
    const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves));
    const __m256i pair = _mm256_shuffle_epi8(pixels, first_pair), next = _mm256_shuffle_epi8(pixels, second_pair);
    high = _mm256_add_epi32(high, _mm256_madd_epi16(pair, _mm256_shuffle_epi32(weights, 0x00)));
    low = _mm256_add_epi32(low, _mm256_madd_epi16(pair, _mm256_shuffle_epi32(weights, 0x55)));
    high = _mm256_add_epi32(high, _mm256_madd_epi16(next, _mm256_shuffle_epi32(weights, 0xAA)));
    low = _mm256_add_epi32(low, _mm256_madd_epi16(next, _mm256_shuffle_epi32(weights, 0xFF)));
  }
  return _mm256_srai_epi32(_mm256_add_epi32(_mm256_slli_epi32(high, kLowBits), low), kFractionBits);
}

RESNETD_VECTOR_CLONES
void FirstRow(const uint8_t* row, int32_t weight, size_t bytes, int32_t* sums) {
  for (size_t i = 0; i < bytes; ++i) sums[i] = kHalf + row[i] * weight;
}

RESNETD_VECTOR_CLONES
void AddRow(const uint8_t* row, int32_t weight, size_t bytes, int32_t* sums) {
  for (size_t i = 0; i < bytes; ++i) sums[i] += row[i] * weight;
}

RESNETD_VECTOR_CLONES
void ToBytes(const int32_t* sums, size_t bytes, uint8_t* row) {
  for (size_t i = 0; i < bytes; ++i) row[i] = static_cast<uint8_t>(std::clamp(sums[i] >> kFractionBits, 0, 255));
}

}  // namespace

void HorizontalPass::Prepare(const Axis& axis, Interpolation interpolation, int channels) {
  if (taps_.Build(axis, interpolation)) SplitWeights();
  channels_ = channels;
  vector_outputs_ = 0;
  if (channels != 3 || !__builtin_cpu_supports("avx2")) return;
  // The last outputs would read beyond the row.
  const int64_t last_start = int64_t{3} * axis.source() - (int64_t{groups_ - 1} * kGroupBytes + kReadBytes);
  while (vector_outputs_ + kGroup <= taps_.count() && 3 * taps_.start(vector_outputs_ + kGroup - 1) <= last_start) {
    vector_outputs_ += kGroup;
  }
}

void HorizontalPass::SplitWeights() {
  groups_ = 0;
  for (int i = 0; i < taps_.count(); ++i) {
    groups_ = std::max(groups_, (taps_.end(i) - taps_.start(i) + kGroup - 1) / kGroup);
  }
  halves_.assign(static_cast<size_t>((taps_.count() + 1) / 2) * groups_ * kHalvesOfTwo, 0);
  for (int i = 0; i < taps_.count(); ++i) {
    int16_t* halves = halves_.data() + static_cast<size_t>(i / 2) * groups_ * kHalvesOfTwo + i % 2 * kHalves;
    for (int j = 0; j < taps_.end(i) - taps_.start(i); ++j) {
      const int32_t weight = taps_.weights(i)[j];
      int16_t* pair = halves + j / kGroup * kHalvesOfTwo + j % kGroup / 2 * 4 + j % 2;
      pair[0] = static_cast<int16_t>(weight >> kLowBits);
      pair[2] = static_cast<int16_t>(weight & ((1 << kLowBits) - 1));
    }
  }
}

// Four outputs a step, 12 bytes, of which the store writes 16.
__attribute__((target("avx2"))) void HorizontalPass::RunVectors(const uint8_t* row, uint8_t* out) const {
  const __m128i without_fourth = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  const int16_t* halves = halves_.data();
  const ptrdiff_t step = ptrdiff_t{groups_} * kHalvesOfTwo;
  const auto source = [&](int i) { return row + static_cast<size_t>(taps_.start(i)) * 3; };
  for (int i = 0; i < vector_outputs_; i += 4, halves += 2 * step, out += 12) {
    const __m256i first = TwoOutputs(source(i), source(i + 1), halves, groups_);
    const __m256i second = TwoOutputs(source(i + 2), source(i + 3), halves + step, groups_);
    // Packing works within the halves of a vector: outputs 0 2 1 3.
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(first, second), 0xD8);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_shuffle_epi8(bytes, without_fourth));
  }
}

void HorizontalPass::Run(const uint8_t* row, uint8_t* out) const {
  if (vector_outputs_ > 0) RunVectors(row, out);
  if (channels_ == 1) {
    RunPlain<1>(taps_, vector_outputs_, row, out);
  } else {
    RunPlain<3>(taps_, vector_outputs_, row, out);
  }
}

void Resampler::Start(const Placement& placement, Interpolation interpolation, int channels) {
  x_.Prepare(placement.x, interpolation, channels);
  y_.Build(placement.y, interpolation);
  row_bytes_ = static_cast<size_t>(placement.x.count) * channels;
  ring_row_bytes_ = row_bytes_ + HorizontalPass::kSlackBytes;
  source_y_ = next_ = 0;
  ring_.resize(ring_row_bytes_ * y_.max_taps());
  line_.resize(row_bytes_);
  sums_.resize(row_bytes_);
}

void Resampler::Push(const uint8_t* row, RowSink out) {
  const int y = source_y_++;
  if (next_ == y_.count() || y < y_.start(next_)) return;
  x_.Run(row, Ring(y));
  for (; next_ < y_.count() && y_.end(next_) <= y + 1; ++next_) {
    const int start = y_.start(next_);
    const int32_t* weights = y_.weights(next_);
    FirstRow(Ring(start), weights[0], row_bytes_, sums_.data());
    for (int j = start + 1; j < y_.end(next_); ++j) AddRow(Ring(j), weights[j - start], row_bytes_, sums_.data());
    ToBytes(sums_.data(), row_bytes_, line_.data());
    out(next_, line_.data());
  }
}

}  // namespace resnetd::image
