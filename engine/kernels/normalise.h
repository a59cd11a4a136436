#ifndef RESNETD_ENGINE_KERNELS_NORMALISE_H_
#define RESNETD_ENGINE_KERNELS_NORMALISE_H_

#include <cstdint>
#include <vector>

#include "engine/kernels/team.h"

namespace resnetd::kernels {

// y = factor[c] * x + shift[c], then max(y, 0) if `relu`, of NHWC float32. The library's multiplication with post-ops
// takes four times as long on few channels.
struct ScaleShift {
  int64_t pixels = 0;  // of all images
  std::vector<float> factor, shift;
  bool relu = false;
};

// `src` and `dst` are dense, {pixels, channels}; they may be the same.
void RunScaleShift(const Team& team, const ScaleShift& shape, const float* src, float* dst);

// Group normalisation (see graph::GroupNorm) of NHWC float32, then max(y, 0) if `relu`.
struct GroupNormalise {
  int64_t images = 0, pixels = 0;  // of an image
  int64_t groups = 1;
  float epsilon = 0;
  std::vector<float> scale, shift;  // by channel
  bool relu = false;
};

// Bytes of scratch memory that a team of so many threads needs.
int64_t GroupNormaliseScratch(const GroupNormalise& shape, int threads);
// `src` and `dst` are dense, {images, pixels, channels}; they may be the same. `scratch` is the team's. The rounding of
// the sums depends on the number of threads and on whether the images divide evenly among them.
void RunGroupNormalise(const Team& team, const GroupNormalise& shape, const float* src, float* scratch, float* dst);

}  // namespace resnetd::kernels

#endif  // RESNETD_ENGINE_KERNELS_NORMALISE_H_
