// Pillow's antialiased resize (its file src/libImaging/Resample.c). Per axis, with scale = from / to:
//
//   stretch   = max(scale, 1)                     a smaller image averages over more source pixels
//   centre(i) = (i + 0.5) * scale
//   sources   = centre -+ radius * stretch        ends rounded, clipped to the image
//   weight(j) = filter((j + 0.5 - centre) / stretch) / sum of them
//
// in double, then rounded to fixed point with 22 bits after the point. 8 bits of a pixel and 22 of a weight leave two
// bits of a 32-bit sum for the filter's overshoot. First all rows, whose results are rounded to bytes, then all
// columns:
//
//   byte = clip((2^21 + sum of pixel(j) * weight(j)) >> 22)
//
// The rounding in between is part of the result: networks were trained and evaluated on it.
#include "engine/image/resize.h"

#include <algorithm>
#include <cmath>

namespace resnetd::image {
namespace {

constexpr int kFractionBits = 32 - 8 - 2;
constexpr int32_t kOne = 1 << kFractionBits;
constexpr int32_t kHalf = kOne / 2;

double Bilinear(double x) {
  x = std::abs(x);
  return x < 1 ? 1 - x : 0;
}

// Keys' cubic with a = -0.5. The order of operations is Pillow's: it decides about the last bit.
double Bicubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0;
}

int32_t ToFixedPoint(double weight) {
  return static_cast<int32_t>((weight < 0 ? -0.5 : 0.5) + weight * kOne);
}

uint8_t ToByte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

template <int kChannels>
void ResampleRow(const Taps& taps, const uint8_t* row, uint8_t* out) {
  for (int i = 0; i < taps.count(); ++i) {
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

void AddRow(const uint8_t* row, int32_t weight, size_t bytes, int32_t* sums) {
  for (size_t i = 0; i < bytes; ++i) sums[i] += row[i] * weight;
}

}  // namespace

void Taps::Build(const Axis& axis, Interpolation interpolation) {
  if (axis == axis_ && interpolation == interpolation_) return;
  axis_ = axis;
  interpolation_ = interpolation;
  start_.resize(axis.count);
  end_.resize(axis.count);
  if (interpolation == Interpolation::kNearest) {
    BuildNearest();
  } else {
    BuildFilter();
  }
}

// Pillow adds up the position step by step, and so do we: the sum's rounding errors are part of the result.
void Taps::BuildNearest() {
  max_taps_ = 1;
  weights_.assign(axis_.count, kOne);
  const double scale = static_cast<double>(axis_.from) / static_cast<double>(axis_.to);
  double position = scale * 0.5;
  for (int64_t i = 0; i < axis_.first + axis_.count; ++i, position += scale) {
    if (i < axis_.first) continue;
    const int source = std::min(static_cast<int>(position), axis_.from - 1);
    start_[i - axis_.first] = source;
    end_[i - axis_.first] = source + 1;
  }
}

void Taps::BuildFilter() {
  const bool cubic = interpolation_ == Interpolation::kBicubic;
  const double scale = static_cast<double>(axis_.from) / static_cast<double>(axis_.to);
  const double stretch = std::max(scale, 1.0), inverse_stretch = 1.0 / stretch;
  const double radius = (cubic ? 2.0 : 1.0) * stretch;
  max_taps_ = static_cast<int>(std::ceil(radius)) * 2 + 1;
  weights_.assign(static_cast<size_t>(axis_.count) * max_taps_, 0);
  exact_.resize(max_taps_);
  for (int i = 0; i < axis_.count; ++i) {
    const double centre = (static_cast<double>(axis_.first + i) + 0.5) * scale;
    const int start = std::max(static_cast<int>(centre - radius + 0.5), 0);
    const int end = std::min(static_cast<int>(centre + radius + 0.5), axis_.from);
    double sum = 0;
    for (int j = start; j < end; ++j) {
      const double x = (j - centre + 0.5) * inverse_stretch;
      sum += exact_[j - start] = cubic ? Bicubic(x) : Bilinear(x);
    }
    int32_t* weights = weights_.data() + static_cast<size_t>(i) * max_taps_;
    for (int j = 0; j < end - start; ++j) weights[j] = ToFixedPoint(exact_[j] / sum);
    start_[i] = start;
    end_[i] = end;
  }
}

void Resampler::Start(const Placement& placement, Interpolation interpolation, int channels) {
  x_.Build(placement.x, interpolation);
  y_.Build(placement.y, interpolation);
  channels_ = channels;
  row_bytes_ = static_cast<size_t>(placement.x.count) * channels;
  source_y_ = next_ = 0;
  ring_.resize(row_bytes_ * y_.max_taps());
  line_.resize(row_bytes_);
  sums_.resize(row_bytes_);
}

void Resampler::Push(const uint8_t* row, RowSink out) {
  const int y = source_y_++;
  if (next_ == y_.count() || y < y_.start(next_)) return;
  if (channels_ == 1) {
    ResampleRow<1>(x_, row, Ring(y));
  } else {
    ResampleRow<3>(x_, row, Ring(y));
  }
  for (; next_ < y_.count() && y_.end(next_) <= y + 1; ++next_) {
    std::fill(sums_.begin(), sums_.end(), kHalf);
    const int start = y_.start(next_);
    for (int j = start; j < y_.end(next_); ++j) {
      AddRow(Ring(j), y_.weights(next_)[j - start], row_bytes_, sums_.data());
    }
    std::transform(sums_.begin(), sums_.end(), line_.begin(), ToByte);
    out(next_, line_.data());
  }
}

}  // namespace resnetd::image
