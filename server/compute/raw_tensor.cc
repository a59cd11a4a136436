// binary16: sign | 5 bits of exponent, biased by 15 | 10 bits of fraction. At the place they have in binary32, whose
// bias is 127, exponent and fraction mean a number 2^112 times too small; the multiplication is exact, and turns what
// was subnormal into normal numbers.
#include "server/compute/raw_tensor.h"

#include <cstddef>
#include <cstring>

namespace resnetd::server {
namespace {

float ReadF32(const std::byte* at) {
  float value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

float ReadF16(const std::byte* at) {
  uint16_t half;
  std::memcpy(&half, at, sizeof half);
  return FromHalf(half);
}

template <size_t kBytes, float (*Read)(const std::byte*)>
void Copy(const ImageSource& source, const image::TensorView& dst) {
  const bool planar = source.layout == Layout::kNchw;
  const auto width = static_cast<size_t>(dst.width), channels = static_cast<size_t>(dst.channels);
  const size_t pixel = planar ? 1 : channels, row = width * pixel;
  const size_t channel = planar ? row * static_cast<size_t>(dst.height) : 1;
  for (int c = 0; c < dst.channels; ++c) {
    for (int y = 0; y < dst.height; ++y) {
      const std::byte* from =
          source.bytes.data() + kBytes * (static_cast<size_t>(c) * channel + static_cast<size_t>(y) * row);
      float* to = dst.data + c * dst.channel + y * dst.row;
      for (int x = 0; x < dst.width; ++x, from += kBytes * pixel, to += dst.pixel) *to = Read(from);
    }
  }
}

}  // namespace

float FromHalf(uint16_t half) {
  const uint32_t magnitude = uint32_t{half & 0x7FFFu} << 13, sign = uint32_t{half & 0x8000u} << 16;
  float value;
  std::memcpy(&value, &magnitude, sizeof value);
  value *= 0x1p112f;
  return sign != 0 ? -value : value;
}

void CopyTensor(const ImageSource& source, const image::TensorView& dst) {
  if (source.kind == SourceKind::kTensorF32) return Copy<sizeof(float), ReadF32>(source, dst);
  Copy<sizeof(uint16_t), ReadF16>(source, dst);
}

}  // namespace resnetd::server
