#ifndef RESNETD_ENGINE_IMAGE_RESIZE_RESIZE_H_
#define RESNETD_ENGINE_IMAGE_RESIZE_RESIZE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "engine/image/recipe.h"
#include "engine/image/resize/axis.h"

namespace resnetd::image {

// Resizes and crops rows, one at a time. Once prepared, threads may share it.
class HorizontalPass {
 public:
  // A row of the result needs room for so many bytes more.
  static constexpr size_t kSlackBytes = 4;

  // `interpolation`: one of Pillow's. `channels` (1 or 3) interleaved bytes a pixel. Weights last prepared for the same
  // axis are kept.
  void Prepare(const Axis& axis, Interpolation interpolation, int channels);

  // Resizes axis.source() pixels to axis.count pixels.
  void Run(const uint8_t* row, uint8_t* out) const;

 private:
  void SplitWeights();
  void RunVectors(const uint8_t* row, uint8_t* out) const;

  Taps taps_;
  int channels_ = 0;
  int vector_outputs_ = 0;       // how many pixels RunVectors() makes, from the first on
  int groups_ = 0;               // of four sources that an output reads
  std::vector<int16_t> halves_;  // weights, see resize.cc
};

// Resizes and crops as Pillow does, bit for bit, row by row: takes the source's rows from top to bottom and gives each
// row of the result as soon as its last source row is in, so that it holds a few narrow rows and never an image. Keeps
// its buffers between images. One thread at a time.
class Resampler {
 public:
  using RowSink = absl::FunctionRef<void(int y, const uint8_t* row)>;

  // Prepares for an image of `channels` (1 or 3) interleaved bytes a pixel.
  void Start(const Placement& placement, Interpolation interpolation, int channels);

  // Takes the next source row, and hands the rows that are complete with it to `out`, valid during the call. After the
  // last source row all rows are out.
  void Push(const uint8_t* row, RowSink out);

 private:
  uint8_t* Ring(int source_y) { return ring_.data() + static_cast<size_t>(source_y % y_.max_taps()) * ring_row_bytes_; }

  HorizontalPass x_;
  Taps y_;
  size_t row_bytes_ = 0, ring_row_bytes_ = 0;  // of a row of the result, and of one with what x_ wants behind it
  int source_y_ = 0, next_ = 0;                // the next row to come in and to go out
  std::vector<uint8_t> ring_;  // the last max_taps source rows, already resized and cropped horizontally
  std::vector<uint8_t> line_;
  std::vector<int32_t> sums_;
};

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_RESIZE_RESIZE_H_
