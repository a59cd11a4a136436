#ifndef RESNETD_ENGINE_IMAGE_RESIZE_AXIS_H_
#define RESNETD_ENGINE_IMAGE_RESIZE_AXIS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/image/recipe.h"

// Resize and crop, axis by axis: numbers only, no pixels.
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

inline constexpr int kFractionBits = 32 - 8 - 2;            // of a weight
inline constexpr int32_t kHalf = 1 << (kFractionBits - 1);  // what a sum starts from, to be rounded

// Returns what a loop would that adds `step` to `sum` so many times, to the last bit, in some hundred additions at
// most. For positive numbers.
double AddRepeatedly(double sum, double step, int64_t times);

// The source pixels that make up each output pixel of one axis, and their weights: fixed point, kFractionBits behind
// the point. Output i reads sources [start(i), end(i)), weights(i)[0] being the first's; beyond them, up to max_taps(),
// the weights are zero. start and end never decrease.
class Taps {
 public:
  // For Pillow's filters. Does nothing and returns false if it was last built for the same.
  bool Build(const Axis& axis, Interpolation interpolation);

  int count() const { return static_cast<int>(start_.size()); }
  int start(int i) const { return start_[i]; }
  int end(int i) const { return end_[i]; }
  const int32_t* weights(int i) const { return weights_.data() + static_cast<size_t>(i) * max_taps_; }
  int max_taps() const { return max_taps_; }  // at least 1, and no output has more

 private:
  void BuildNearest();
  void BuildFilter();

  Axis axis_;
  Interpolation interpolation_ = Interpolation::kBilinear;
  int max_taps_ = 0;
  std::vector<int> start_, end_;
  std::vector<int32_t> weights_;
  std::vector<double> exact_;  // of one output, while building
};

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_RESIZE_AXIS_H_
