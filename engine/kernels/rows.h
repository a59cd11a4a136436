#ifndef RESNETD_ENGINE_KERNELS_ROWS_H_
#define RESNETD_ENGINE_KERNELS_ROWS_H_

#include <cstdint>
#include <vector>

#include "engine/kernels/team.h"

// Normalisations that the library has no primitive for. A row is consecutive float32 values: a vector, or the channels
// of a pixel where maps are NHWC.
namespace resnetd::kernels {

// See graph::L2Norm.
struct L2Normalise {
  int64_t rows = 0, width = 0;
  float inside = 0, floor = 0, beside = 0;
};

// `src` and `dst` are dense, {rows, width}; they may be the same. Threads take whole rows.
void RunL2Normalise(const Team& team, const L2Normalise& shape, const float* src, float* dst);

// See graph::LocalResponseNorm.
struct LocalResponseNormalise {
  int64_t rows = 0, width = 0;
  int64_t size = 1;
  float alpha = 0, beta = 0, bias = 1;
};

// `src` and `dst` are dense, {rows, width}, and not the same. Threads take whole rows.
void RunLocalResponseNormalise(const Team& team, const LocalResponseNormalise& shape, const float* src, float* dst);

// See graph::ResponseNorm.
struct ResponseNormalise {
  int64_t images = 0, pixels = 0;  // of an image
  float epsilon = 0;
  std::vector<float> scale, shift;  // by channel
};

// Bytes of scratch memory that a team of so many threads needs.
int64_t ResponseNormaliseScratch(const ResponseNormalise& shape, int threads);
// `src` and `dst` are dense, {images, pixels, channels}; they may be the same. `scratch` is the team's. The rounding of
// the sums depends on the number of threads and on whether the images divide evenly among them.
void RunResponseNormalise(const Team& team, const ResponseNormalise& shape, const float* src, float* scratch,
                          float* dst);

}  // namespace resnetd::kernels

#endif  // RESNETD_ENGINE_KERNELS_ROWS_H_
