#include "engine/onednn/lowering/kernel_choice.h"

#include "engine/kernels/grouped_convolution.h"
#include "engine/kernels/winograd.h"

namespace resnetd::onednn {
namespace {

// Winograd's algorithm transforms the weights once for all tiles, of 2x2 pixels. With fewer tiles in an image than
// this, or many weights and not many tiles, that costs what it saves. ResNet's last stage, 7x7 with 512 channels, is
// the library's.
constexpr int64_t kLeastTiles = 9, kManyTiles = 25;
constexpr int64_t kFewKernels = 256 * 256;

// An instruction set is a bit mask that contains those it extends.
bool HasAvx512(dnnl::cpu_isa isa) {
  constexpr auto kWanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (static_cast<unsigned>(isa) & kWanted) == kWanted;
}

bool IsForWinograd(const graph::Conv& conv, const graph::Dims& dst) {
  const graph::Dims& weights = conv.weights->dims;
  const int64_t tiles = (dst[1] + 1) / 2 * ((dst[2] + 1) / 2);
  const bool worth = tiles >= kManyTiles || (tiles >= kLeastTiles && weights[0] * weights[1] <= kFewKernels);
  return conv.groups == 1 && weights[2] == 3 && weights[3] == 3 && conv.strides.h == 1 && conv.strides.w == 1 &&
         conv.dilations.h == 1 && conv.dilations.w == 1 && weights[0] % kernels::kWinogradChannels == 0 &&
         weights[1] % kernels::kWinogradChannels == 0 && worth;
}

// Groups of 16 channels fill the library's vectors; but with stride 2 on wide maps whose pixels are a multiple of 1 kB
// apart its loads share few sets of the cache, and it takes 1.5 to 3 times as long.
bool IsSlowInGroupsOf16(const graph::Conv& conv, const graph::Dims& src) {
  return conv.strides.h == 2 && src[0] % 256 == 0 && src[2] >= 28;
}

bool IsForGroupedConvolution(const graph::Conv& conv, const graph::Dims& src) {
  const graph::Dims& weights = conv.weights->dims;
  const auto narrow = [](int64_t pad) { return pad == 0 || pad == 1; };
  const int64_t group = weights[1];  // channels in, as many as out
  const bool narrow_group = group == 2 || group == 4 || group == 8 || (group == 16 && IsSlowInGroupsOf16(conv, src));
  return narrow_group && weights[0] == conv.groups * group && weights[0] % kernels::kGroupedChannels == 0 &&
         weights[2] == 3 && weights[3] == 3 && conv.strides.h == conv.strides.w && conv.strides.h <= 2 &&
         conv.dilations.h == 1 && conv.dilations.w == 1 && narrow(conv.pads.top) && narrow(conv.pads.left) &&
         narrow(conv.pads.bottom) && narrow(conv.pads.right);
}

}  // namespace

ConvolutionKernel ChooseKernel(const graph::Conv& conv, const graph::Dims& src, const graph::Dims& dst,
                               const Epilogue& epilogue, dnnl::cpu_isa isa) {
  if (!HasAvx512(isa) || epilogue.other) return ConvolutionKernel::kLibrary;
  if (IsForWinograd(conv, dst)) return ConvolutionKernel::kWinograd;
  if (!epilogue.residual && IsForGroupedConvolution(conv, src)) return ConvolutionKernel::kGrouped;
  return ConvolutionKernel::kLibrary;
}

}  // namespace resnetd::onednn
