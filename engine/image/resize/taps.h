#ifndef RESNETD_ENGINE_IMAGE_RESIZE_TAPS_H_
#define RESNETD_ENGINE_IMAGE_RESIZE_TAPS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/image/recipe.h"
#include "engine/image/resize/placement.h"

namespace resnetd::image {

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
  // Does nothing and returns false if it was last built for the same.
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

#endif  // RESNETD_ENGINE_IMAGE_RESIZE_TAPS_H_
