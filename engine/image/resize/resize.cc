// The order of Pillow's resize: first all rows, whose results are rounded to bytes (horizontal.cc), then all columns,
// with weights of the same kind (taps.cc). The rounding in between is part of the result: networks were trained and
// evaluated on it.
#include "engine/image/resize/resize.h"

#include <algorithm>

// Compiled for AVX2 and AVX-512 too, and chosen when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define RESNETD_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RESNETD_VECTOR_CLONES
#endif

namespace resnetd::image {
namespace {

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
