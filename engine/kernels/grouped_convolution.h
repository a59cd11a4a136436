#ifndef RESNETD_ENGINE_KERNELS_GROUPED_CONVOLUTION_H_
#define RESNETD_ENGINE_KERNELS_GROUPED_CONVOLUTION_H_

#include <cstdint>

#include "engine/kernels/team.h"

namespace resnetd::kernels {

// A 3x3 convolution in groups of few channels, as many out as in, of NHWC float32, then max(y, 0) where asked for.
// Needs AVX-512. ResNeXt and RegNet have groups of 4, 8 and 16 channels in their first stages.
//
// An output's rounding depends on its pixel's inputs alone: not on the batch, its place in it, or the threads.
struct GroupedConvolution {
  int64_t images = 1;
  int64_t src_height = 0, src_width = 0, dst_height = 0, dst_width = 0;
  int64_t pad_top = 0, pad_left = 0;  // 0 or 1, as on the other sides; what lies outside of src is zero
  int64_t stride = 1;                 // 1 or 2, of both axes
  int64_t channels = 0;               // a multiple of kGroupedChannels
  int64_t group_channels = 0;         // of a group; divides kGroupedChannels
  bool relu = false;
};
constexpr int64_t kGroupedChannels = 16;

// Packs dense {channels, group_channels, 3, 3} as {channels / 16, 9, group_channels, 16}. `packed` must be aligned to
// 64 bytes here and below.
void PackGroupedConvolution(int64_t channels, int64_t group_channels, const float* weights, float* packed);

// `src` and `dst` are dense and do not overlap; `bias`, {channels}, may be null.
void RunGroupedConvolution(const Team& team, const GroupedConvolution& shape, const float* packed, const float* bias,
                           const float* src, float* dst);

}  // namespace resnetd::kernels

#endif  // RESNETD_ENGINE_KERNELS_GROUPED_CONVOLUTION_H_
