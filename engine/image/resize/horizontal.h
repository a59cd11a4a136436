#ifndef RESNETD_ENGINE_IMAGE_RESIZE_HORIZONTAL_H_
#define RESNETD_ENGINE_IMAGE_RESIZE_HORIZONTAL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/image/recipe.h"
#include "engine/image/resize/placement.h"
#include "engine/image/resize/taps.h"

namespace resnetd::image {

// Resizes and crops rows, one at a time. Once prepared, threads may share it.
class HorizontalPass {
 public:
  // A row of the result needs room for so many bytes more.
  static constexpr size_t kSlackBytes = 4;

  // `channels` (1 or 3) interleaved bytes a pixel. Weights last prepared for the same axis are kept.
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
  std::vector<int16_t> halves_;  // see horizontal.cc
};

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_RESIZE_HORIZONTAL_H_
