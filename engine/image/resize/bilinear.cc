// Both libraries look for the centre of output i in the source, per axis, with half a pixel's shift:
//
//   centre(i) = (i + 0.5) * scale - 0.5      first = floor(centre), second = first + 1, fraction = centre - first
//
// and both clamp the two to the image. They differ in their numbers, whose rounding is part of the result:
//
//   OpenCV (modules/imgproc/src/resize.cpp)      scale in double, centre rounded to float; weights of 11 bits
//     horizontally   kept = (near * a + far * b) >> 4
//     vertically     byte = ((near * kept >> 16) + (far * kept' >> 16) + 2) >> 2
//   TensorFlow (core/kernels/image/resize_bilinear_op.cc)    all in float, and so is the result
//     either way     a + (b - a) * fraction
//
// OpenCV's columns left of the first centre and right of the last have one source of the whole weight; its rows beyond
// the border have both weights on the same row, which is rounded twice. OpenCV says that it takes its area mean where
// both sides are exactly halved: that is (a + b + c + d + 2) >> 2, and so are the sums above, whose bits are all kept
// at two equal weights of 1024.
//
// Nothing here may become a fused multiply-add, which rounds once (CMakeLists.txt says so to the compiler).
//
// Rows of three channels are computed with vectors of AVX2: 8 bytes are read where the sources of an output begin, of
// which 6 are the two pixels.
#include "engine/image/resize/bilinear.h"

#include <immintrin.h>

#include <algorithm>
#include <cmath>

#include "engine/image/resize/vector_clones.h"

namespace resnetd::image {
namespace {

constexpr float kCv2One = 2048;  // of a weight
constexpr int kReadBytes = 8;

int16_t ToWeight(float fraction) {
  return static_cast<int16_t>(std::nearbyint(fraction * kCv2One));
}

// Finds the neighbours of output `i`, counted in the scaled image, which may lie beyond the border.
Neighbours Unclamped(int16_t /*kept*/, const Axis& axis, int64_t i) {
  const double scale = 1 / (static_cast<double>(axis.to) / axis.from);  // OpenCV divides twice
  const auto centre = static_cast<float>((static_cast<double>(i) + 0.5) * scale - 0.5);
  const int first = static_cast<int>(std::floor(centre));
  return {.first = first, .fraction = centre - static_cast<float>(first)};
}

Neighbours Unclamped(float /*kept*/, const Axis& axis, int64_t i) {
  const float scale = static_cast<float>(axis.from) / static_cast<float>(axis.to);
  const float centre = (static_cast<float>(i) + 0.5f) * scale - 0.5f;
  const float first = std::floor(centre);
  return {.first = static_cast<int>(first), .fraction = centre - first};
}

// Moves what lies beyond the border onto the pixel there. `keeps_weights`: both weights stay and are of that pixel.
void Clamp(int from, bool keeps_weights, Neighbours& at) {
  const bool outside = at.first < 0 || at.first >= from - 1;
  at.first = std::clamp(at.first, 0, from - 1);
  if (outside && !keeps_weights) at.fraction = 0;
  at.near = ToWeight(1 - at.fraction);
  at.far = ToWeight(at.fraction);
  at.second = outside || at.fraction == 0 ? at.first : at.first + 1;
}

// Does nothing if it was last built for the same.
template <typename Kept>
void Build(const Axis& axis, bool keeps_weights, Axis& last, std::vector<Neighbours>& all) {
  if (axis == last) return;
  last = axis;
  all.resize(static_cast<size_t>(axis.count));
  for (int i = 0; i < axis.count; ++i) {
    all[static_cast<size_t>(i)] = Unclamped(Kept{}, axis, axis.first + i);
    Clamp(axis.from, keeps_weights, all[static_cast<size_t>(i)]);
  }
}

int16_t Mix(const Neighbours& at, uint8_t first, uint8_t second, int16_t /*kept*/) {
  return static_cast<int16_t>((at.near * first + at.far * second) >> 4);
}

float Mix(const Neighbours& at, uint8_t first, uint8_t second, float /*kept*/) {
  const auto from = static_cast<float>(first), to = static_cast<float>(second);
  return from + (to - from) * at.fraction;
}

RESNETD_VECTOR_CLONES
void MixRows(const Neighbours& at, const int16_t* first, const int16_t* second, size_t values, uint8_t* out) {
  const int near = at.near, far = at.far;
  for (size_t i = 0; i < values; ++i) {
    out[i] = static_cast<uint8_t>(((near * first[i] >> 16) + (far * second[i] >> 16) + 2) >> 2);
  }
}

RESNETD_VECTOR_CLONES
void MixRows(const Neighbours& at, const float* first, const float* second, size_t values, float* out) {
  const float fraction = at.fraction;
  for (size_t i = 0; i < values; ++i) out[i] = first[i] + (second[i] - first[i]) * fraction;
}

__attribute__((target("avx2"))) inline __m128i ReadPixels(const uint8_t* row, const Neighbours& at) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(row + size_t{3} * at.first));
}

// Two outputs, each red, green, blue and nothing in 32 bits. In the middle they are red red', green green', blue blue'
// in words, each pair to be multiplied by near and far.
__attribute__((target("avx2"))) inline __m256i TwoOutputs(const uint8_t* row, const Neighbours* at) {
  const __m256i pairs = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                                         8, -1, 11, -1, 9, -1, 12, -1, 10, -1, 13, -1, -1, -1, -1, -1);
  const auto weights = [](const Neighbours& n) { return _mm_set1_epi32(n.near | n.far << 16); };
  const __m128i pixels = _mm_unpacklo_epi64(ReadPixels(row, at[0]), ReadPixels(row, at[1]));
  const __m256i words = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(pixels), pairs);
  return _mm256_srai_epi32(_mm256_madd_epi16(words, _mm256_set_m128i(weights(at[1]), weights(at[0]))), 4);
}

// Four outputs a step, 12 words, of which the stores write 14.
__attribute__((target("avx2"))) void RunVectors(const std::vector<Neighbours>& x, size_t outputs, const uint8_t* row,
                                                int16_t* out) {
  const __m128i without_fourth = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1);
  for (size_t i = 0; i < outputs; i += 4, out += 12) {
    const __m256i packed = _mm256_packs_epi32(TwoOutputs(row, &x[i]), TwoOutputs(row, &x[i + 2]));
    const __m256i words = _mm256_permute4x64_epi64(packed, 0xD8);  // packing works within halves: outputs 0 2 1 3
    const __m128i first = _mm256_castsi256_si128(words), second = _mm256_extracti128_si256(words, 1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_shuffle_epi8(first, without_fourth));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 6), _mm_shuffle_epi8(second, without_fourth));
  }
}

// An output a step, 3 values, of which the store writes 4.
__attribute__((target("avx2"))) void RunVectors(const std::vector<Neighbours>& x, size_t outputs, const uint8_t* row,
                                                float* out) {
  for (size_t i = 0; i < outputs; ++i, out += 3) {
    const __m128i pixels = ReadPixels(row, x[i]);
    const __m128 first = _mm_cvtepi32_ps(_mm_cvtepu8_epi32(pixels));
    const __m128 second = _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_srli_epi64(pixels, 24)));
    const __m128 moved = _mm_mul_ps(_mm_sub_ps(second, first), _mm_set1_ps(x[i].fraction));
    _mm_storeu_ps(out, _mm_add_ps(first, moved));
  }
}

// The outputs, in steps of four, whose reads end within a row of `from` pixels. Centres never move back.
size_t VectorOutputs(const std::vector<Neighbours>& x, int from) {
  if (!__builtin_cpu_supports("avx2")) return 0;
  const auto inside = [from](const Neighbours& at) { return 3 * at.first + kReadBytes <= 3 * from; };
  const auto end = std::partition_point(x.begin(), x.end(), inside);
  return static_cast<size_t>(end - x.begin()) / 4 * 4;
}

}  // namespace

template <typename Kept, typename Out>
void BilinearResampler<Kept, Out>::Start(const Placement& placement, int channels) {
  constexpr bool kOpenCv = sizeof(Out) == 1;
  Build<Kept>(placement.x, /*keeps_weights=*/false, x_axis_, x_);
  Build<Kept>(placement.y, /*keeps_weights=*/kOpenCv, y_axis_, y_);
  channels_ = channels;
  vector_outputs_ = channels == 3 ? VectorOutputs(x_, placement.x.from) : 0;
  row_values_ = x_.size() * static_cast<size_t>(channels);
  source_y_ = next_ = 0;
  ring_.resize(2 * (row_values_ + kSlackValues));
  line_.resize(row_values_);
}

template <typename Kept, typename Out>
void BilinearResampler<Kept, Out>::Resize(const uint8_t* row, Kept* out) const {
  if (vector_outputs_ > 0) RunVectors(x_, vector_outputs_, row, out);
  const auto channels = static_cast<size_t>(channels_);
  for (size_t i = vector_outputs_; i < x_.size(); ++i) {
    const uint8_t* first = row + channels * static_cast<size_t>(x_[i].first);
    const uint8_t* second = row + channels * static_cast<size_t>(x_[i].second);
    for (size_t c = 0; c < channels; ++c) out[i * channels + c] = Mix(x_[i], first[c], second[c], Kept{});
  }
}

template <typename Kept, typename Out>
void BilinearResampler<Kept, Out>::Push(const uint8_t* row, RowSink out) {
  const int y = source_y_++, rows = static_cast<int>(y_.size());
  if (next_ == rows || y < y_[static_cast<size_t>(next_)].first) return;
  Resize(row, Ring(y));
  for (; next_ < rows; ++next_) {
    const Neighbours& at = y_[static_cast<size_t>(next_)];
    if (at.second > y) return;
    MixRows(at, Ring(at.first), Ring(at.second), row_values_, line_.data());
    out(next_, line_.data());
  }
}

template class BilinearResampler<int16_t, uint8_t>;
template class BilinearResampler<float, float>;

}  // namespace resnetd::image
