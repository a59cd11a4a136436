#ifndef RESNETD_ENGINE_IMAGE_NORMALISER_H_
#define RESNETD_ENGINE_IMAGE_NORMALISER_H_

#include <array>
#include <cstdint>
#include <vector>

#include "engine/image/image.h"
#include "engine/image/recipe.h"

namespace resnetd::image {

// Pixels -> (pixel * scale - mean) / std, with what torchvision's ToTensor and Normalize compute in float, step by
// step, not a product with a folded scale that rounds differently. pixel * scale is in double, rounded to float once:
// the pixel / 255 in float of ToTensor where scale is 1/255. One thread at a time.
class Normaliser {
 public:
  // Prepares for a recipe; does nothing if the last one had the same channels, scale, means and deviations.
  void Prepare(const Recipe& recipe);

  // Writes row y of `dst` from dst.width packed pixels of dst.channels bytes, or of levels that are not rounded to
  // bytes. `reversed`: their channels come in the opposite order.
  void Row(const uint8_t* row, bool reversed, int y, const TensorView& dst);
  void Row(const float* row, bool reversed, int y, const TensorView& dst);

 private:
  int channels_ = 0;
  double scale_ = 0;
  std::array<float, 4> mean_{}, std_{};
  std::array<std::array<float, 256>, 4> tables_{};  // of a channel's bytes: a division is dear
  // A row of floats: its results, and the mean and deviation of each of its values.
  std::vector<float> line_, line_mean_, line_std_;
  bool line_reversed_ = false;
};

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_NORMALISER_H_
