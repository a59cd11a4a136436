#ifndef RESNETD_ENGINE_IMAGE_RESIZE_PLACEMENT_H_
#define RESNETD_ENGINE_IMAGE_RESIZE_PLACEMENT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "engine/image/recipe.h"

// The places that resize and crop give to an image: numbers only, no pixels.
namespace resnetd::image {

// One axis: `from` source pixels are scaled to `to`, of which `count` from `first` on are kept. The scaled image is
// never built, so `to` may be huge.
struct Axis {
  int from = 0;
  int64_t to = 0, first = 0;
  int count = 0;
  int shrink = 1;         // the source comes shrunk by so much already, where the JPEG decoder does that
  bool reversed = false;  // and from the end

  // The number of pixels that come: the last, or the first of a reversed one, may be less than a whole one.
  int source() const { return (from + shrink - 1) / shrink; }
  // The number of source pixels that there really are.
  double extent() const { return static_cast<double>(from) / shrink; }
  double begin() const { return reversed ? source() - extent() : 0; }
  // The number of source pixels that make up one of `to`.
  double scale() const { return extent() / static_cast<double>(to); }

  bool operator==(const Axis&) const = default;
};

// The kept pixels go into the input from column `left` and row `top` on; around them, if they are fewer, is black.
struct Placement {
  Axis x, y;
  int left = 0, top = 0;
};

// Places a width x height image under a valid recipe. INVALID_ARGUMENT: the recipe does not resize and the size is not
// the input's.
absl::StatusOr<Placement> Place(const Recipe& recipe, int width, int height);

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_RESIZE_PLACEMENT_H_
