#include "engine/image/normaliser.h"

#include <emmintrin.h>

#include <cstddef>

namespace resnetd::image {
namespace {

float Normalised(double pixel, double scale, float mean, float std) {
  return (static_cast<float>(pixel * scale) - mean) / std;
}

// Four values at a time, by the very steps of Normalised().
void Normalise(const float* row, double scale, const float* mean, const float* std, size_t values, float* out) {
  const __m128d factor = _mm_set1_pd(scale);
  const auto scaled = [factor](__m128 two) { return _mm_cvtpd_ps(_mm_mul_pd(_mm_cvtps_pd(two), factor)); };
  size_t i = 0;
  for (; i + 4 <= values; i += 4) {
    const __m128 pixels = _mm_loadu_ps(row + i);
    const __m128 four = _mm_movelh_ps(scaled(pixels), scaled(_mm_movehl_ps(pixels, pixels)));
    _mm_storeu_ps(out + i, _mm_div_ps(_mm_sub_ps(four, _mm_loadu_ps(mean + i)), _mm_loadu_ps(std + i)));
  }
  for (; i < values; ++i) out[i] = Normalised(row[i], scale, mean[i], std[i]);
}

}  // namespace

void Normaliser::Prepare(const Recipe& recipe) {
  if (channels_ == recipe.channels() && scale_ == recipe.scale && mean_ == recipe.mean && std_ == recipe.std) return;
  channels_ = recipe.channels();
  scale_ = recipe.scale;
  mean_ = recipe.mean;
  std_ = recipe.std;
  line_.clear();
  for (int c = 0; c < channels_; ++c) {
    for (int byte = 0; byte < 256; ++byte) tables_[c][byte] = Normalised(byte, scale_, mean_[c], std_[c]);
  }
}

void Normaliser::Row(const uint8_t* row, bool reversed, int y, const TensorView& dst) {
  for (int c = 0; c < channels_; ++c) {
    const std::array<float, 256>& table = tables_[c];
    const uint8_t* byte = row + (reversed ? channels_ - 1 - c : c);
    float* out = dst.data + y * dst.row + c * dst.channel;
    for (int x = 0; x < dst.width; ++x, byte += channels_, out += dst.pixel) *out = table[*byte];
  }
}

// Divides in the order in which the row comes, many values at a time, and then takes them apart.
void Normaliser::Row(const float* row, bool reversed, int y, const TensorView& dst) {
  const auto channel = [this, reversed](int c) { return reversed ? channels_ - 1 - c : c; };
  const size_t values = size_t{1} * dst.width * channels_;
  if (line_.size() != values || line_reversed_ != reversed) {
    line_.resize(values);
    line_mean_.resize(values);
    line_std_.resize(values);
    line_reversed_ = reversed;
    for (size_t i = 0; i < values; ++i) {
      const int c = channel(static_cast<int>(i) % channels_);
      line_mean_[i] = mean_[c];
      line_std_[i] = std_[c];
    }
  }
  Normalise(row, scale_, line_mean_.data(), line_std_.data(), values, line_.data());
  for (int c = 0; c < channels_; ++c) {
    const float* value = line_.data() + channel(c);
    float* out = dst.data + y * dst.row + c * dst.channel;
    for (int x = 0; x < dst.width; ++x, value += channels_, out += dst.pixel) *out = *value;
  }
}

}  // namespace resnetd::image
