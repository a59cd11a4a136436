// Which kernel computes a convolution, as a table: shapes of known networks, and both sides of each limit.
#include "engine/onednn/lowering/convolutions.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace resnetd::onednn {
namespace {

// Channels in and out, the map's height and width, kernel, stride, groups, padding.
struct Shape {
  int64_t in = 64, out = 64, size = 56, kernel = 3, stride = 1, groups = 1, pad = 1, dilation = 1;
};

graph::Conv ConvOf(const Shape& s) {
  graph::Conv conv;
  auto weights = std::make_shared<graph::Weights>();
  weights->dims = {s.out, s.in / s.groups, s.kernel, s.kernel};
  conv.weights = weights;
  conv.strides = {s.stride, s.stride};
  conv.dilations = {s.dilation, s.dilation};
  conv.pads = {s.pad, s.pad, s.pad, s.pad};
  conv.groups = static_cast<int>(s.groups);
  return conv;
}

ConvolutionKernel Choice(const Shape& s, const Epilogue& epilogue = {.relu = true},
                         dnnl::cpu_isa isa = dnnl::cpu_isa::avx512_core) {
  const int64_t size = (s.size + 2 * s.pad - s.dilation * (s.kernel - 1) - 1) / s.stride + 1;
  return ChooseKernel(ConvOf(s), {s.in, s.size, s.size}, {s.out, size, size}, epilogue, isa);
}

TEST(KernelChoice, OfShapes) {
  struct Case {
    std::string what;
    Shape shape;
    ConvolutionKernel kernel;
  };
  constexpr ConvolutionKernel kLibrary = ConvolutionKernel::kLibrary, kWinograd = ConvolutionKernel::kWinograd,
                              kGrouped = ConvolutionKernel::kGrouped;
  for (const Case& c : {
           Case{"ResNet-50's first stage", {64, 64, 56}, kWinograd},
           Case{"its third", {256, 256, 14}, kWinograd},
           Case{"its last", {512, 512, 7}, kLibrary},
           Case{"1x1", {64, 64, 56, 1, 1, 1, 0}, kLibrary},
           Case{"5x5", {64, 64, 56, 5, 1, 1, 2}, kLibrary},
           Case{"stride 2", {64, 64, 56, 3, 2}, kLibrary},
           Case{"dilation 2", {64, 64, 56, 3, 1, 1, 2, 2}, kLibrary},
           Case{"channels in that are no multiple of 16", {24, 64, 56}, kLibrary},
           Case{"channels out that are no multiple of 16", {64, 24, 56}, kLibrary},
           Case{"9 tiles of few kernels", {256, 256, 6}, kWinograd},
           Case{"4 tiles", {16, 16, 4}, kLibrary},
           Case{"9 tiles of more kernels", {256, 272, 6}, kLibrary},
           Case{"25 tiles of many", {512, 512, 10}, kWinograd},
           Case{"16 tiles of many", {512, 512, 8}, kLibrary},
           Case{"groups of 4", {128, 128, 56, 3, 1, 32}, kGrouped},
           Case{"groups of 8", {256, 256, 28, 3, 1, 32}, kGrouped},
           Case{"groups of 2, stride 2", {64, 64, 56, 3, 2, 32}, kGrouped},
           Case{"groups of 16", {512, 512, 28, 3, 1, 32}, kLibrary},
           Case{"groups of 16, stride 2, a wide map", {512, 512, 28, 3, 2, 32}, kGrouped},
           Case{"the same of a narrow map", {512, 512, 26, 3, 2, 32}, kLibrary},
           Case{"the same of pixels no multiple of 1 kB apart", {448, 448, 28, 3, 2, 28}, kLibrary},
           Case{"groups of 32", {1024, 1024, 14, 3, 1, 32}, kLibrary},
           Case{"depthwise", {64, 64, 56, 3, 1, 64}, kLibrary},
           Case{"groups of 4 and stride 3", {128, 128, 56, 3, 3, 32}, kLibrary},
           Case{"groups of 4 and padding of 2", {128, 128, 56, 3, 1, 32, 2}, kLibrary},
           Case{"groups of 4 and no padding", {128, 128, 56, 3, 1, 32, 0}, kGrouped},
           Case{"groups of 4, channels no multiple of 16", {24, 24, 56, 3, 1, 6}, kLibrary},
       }) {
    EXPECT_EQ(Choice(c.shape), c.kernel) << c.what;
    EXPECT_EQ(Choice(c.shape, {.relu = true}, dnnl::cpu_isa::avx512_core_bf16), c.kernel) << c.what;
    EXPECT_EQ(Choice(c.shape, {.relu = true}, dnnl::cpu_isa::avx2), kLibrary) << c.what;
    EXPECT_EQ(Choice(c.shape, {.other = true}), kLibrary) << c.what;
    EXPECT_EQ(Choice(c.shape, {.residual = true, .relu = true}), c.kernel == kGrouped ? kLibrary : c.kernel) << c.what;
  }
}

}  // namespace
}  // namespace resnetd::onednn
