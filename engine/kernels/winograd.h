#ifndef RESNETD_ENGINE_KERNELS_WINOGRAD_H_
#define RESNETD_ENGINE_KERNELS_WINOGRAD_H_

#include <cstdint>

#include "engine/kernels/team.h"

namespace resnetd::kernels {

// A 3x3 convolution with stride 1 of NHWC float32, then + residual and max(y, 0) where asked for, by Winograd's minimal
// filtering F(2x2, 3x3) (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016): 2.25 times fewer
// multiplications than the definition. Needs AVX-512.
//
// Infinities may become NaN. An output's rounding depends on its pixel's inputs alone: not on the batch, its place in
// it, or the threads.
struct Winograd {
  int64_t images = 1;
  int64_t src_height = 0, src_width = 0, dst_height = 0, dst_width = 0;
  int64_t pad_top = 0, pad_left = 0;          // what lies outside of src on any side is zero
  int64_t in_channels = 0, out_channels = 0;  // multiples of kWinogradChannels
  bool relu = false;
};
constexpr int64_t kWinogradChannels = 16;

// Output channels at a time.
int64_t WinogradWidth(int64_t out_channels);
// Packs dense {out, in, 3, 3} as {out / width, in, 9, width}. `packed` must be aligned to 64 bytes here and below.
void PackWinograd(int64_t in_channels, int64_t out_channels, const float* weights, float* packed);

// Bytes of scratch memory that each thread needs.
int64_t WinogradScratch(const Winograd& shape);
struct WinogradBuffers {
  const float* packed = nullptr;    // by PackWinograd()
  const float* bias = nullptr;      // {out}, or null
  const float* residual = nullptr;  // like dst and perhaps dst itself, or null
  const float* src = nullptr;       // dense, as is dst, which it does not overlap
  float* scratch = nullptr;         // this thread's own, aligned to 64 bytes
  float* dst = nullptr;
};
void RunWinograd(const Team& team, const Winograd& shape, const WinogradBuffers& buffers);

}  // namespace resnetd::kernels

#endif  // RESNETD_ENGINE_KERNELS_WINOGRAD_H_
