#ifndef RESNETD_ENGINE_IMAGE_NORMALISE_H_
#define RESNETD_ENGINE_IMAGE_NORMALISE_H_

#include <array>
#include <cstdint>

#include "engine/image/image.h"
#include "engine/image/recipe.h"

namespace resnetd::image {

// Bytes -> (byte * scale - mean) / std, by a table for each channel. One thread at a time.
class Normaliser {
 public:
  // Builds the tables; does nothing if it was last given the same channels, scale, means and deviations.
  void Prepare(const Recipe& recipe);

  // Writes row y of `dst` from dst.width packed pixels of dst.channels bytes. `reversed`: their channels come in the
  // opposite order.
  void Row(const uint8_t* row, bool reversed, int y, const TensorView& dst) const;

 private:
  int channels_ = 0;
  double scale_ = 0;
  std::array<float, 4> mean_{}, std_{};
  std::array<std::array<float, 256>, 4> tables_{};
};

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_NORMALISE_H_
