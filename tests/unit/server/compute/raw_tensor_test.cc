#include "server/compute/raw_tensor.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace resnetd::server {
namespace {

// Converts by the definition, for all there are.
TEST(RawTensorTest, EveryFiniteHalf) {
  for (uint32_t half = 0; half < 0x10000; ++half) {
    const int exponent = static_cast<int>(half >> 10 & 0x1F), fraction = static_cast<int>(half & 0x3FF);
    if (exponent == 31) continue;
    double wanted = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (half >= 0x8000) wanted = -wanted;
    const float got = FromHalf(static_cast<uint16_t>(half));
    ASSERT_EQ(got, wanted) << half;
    ASSERT_EQ(std::signbit(got), half >= 0x8000) << half;
  }
}

// Value 100 c + 10 y + x, which half precision holds too.
constexpr int kHeight = 2, kWidth = 5, kChannels = 3;

float Value(int c, int y, int x) {
  return static_cast<float>(100 * c + 10 * y + x);
}

// Converts an integer from 0 to 2047.
uint16_t ToHalf(float value) {
  if (value == 0) return 0;
  int exponent = 0;
  const double fraction = std::frexp(static_cast<double>(value), &exponent);  // in [0.5, 1)
  return static_cast<uint16_t>((exponent + 14) << 10 | static_cast<int>(fraction * 2048 - 1024));
}

std::string Numbers(SourceKind kind, Layout layout) {
  std::string bytes;
  for (int i = 0; i < kHeight * kWidth * kChannels; ++i) {
    const float value = layout == Layout::kNchw ? Value(i / (kHeight * kWidth), i / kWidth % kHeight, i % kWidth)
                                                : Value(i % kChannels, i / kChannels / kWidth, i / kChannels % kWidth);
    const uint16_t half = ToHalf(value);
    if (kind == SourceKind::kTensorF32) bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    if (kind == SourceKind::kTensorF16) bytes.append(reinterpret_cast<const char*>(&half), sizeof half);
  }
  return bytes;
}

TEST(RawTensorTest, EveryLayoutToEveryLayout) {
  constexpr float kUntouched = -1;
  struct Destination {
    const char* name;
    ptrdiff_t row, pixel, channel;
  };
  for (const Destination& d : {Destination{"NCHW", 5, 1, 10}, Destination{"NHWC", 15, 3, 1},
                               Destination{"planes with a border", 7, 1, 30}, Destination{"padded pixels", 24, 4, 1}}) {
    for (const SourceKind kind : {SourceKind::kTensorF32, SourceKind::kTensorF16}) {
      for (const Layout layout : {Layout::kNhwc, Layout::kNchw}) {
        SCOPED_TRACE(testing::Message() << d.name << (kind == SourceKind::kTensorF16 ? " halves" : " floats")
                                        << (layout == Layout::kNhwc ? " of NHWC" : " of NCHW"));
        const std::string bytes = "?" + Numbers(kind, layout);  // not aligned
        const ImageSource source{
            kind, {reinterpret_cast<const std::byte*>(bytes.data() + 1), bytes.size() - 1}, layout, kHeight, kWidth};
        std::vector<float> values(200, kUntouched);
        CopyTensor(source, {values.data(), kHeight, kWidth, kChannels, d.row, d.pixel, d.channel});
        for (int i = 0; i < kHeight * kWidth * kChannels; ++i) {
          const int c = i / (kHeight * kWidth), y = i / kWidth % kHeight, x = i % kWidth;
          float& value = values[static_cast<size_t>(c * d.channel + y * d.row + x * d.pixel)];
          ASSERT_EQ(value, Value(c, y, x)) << c << " " << y << " " << x;
          value = kUntouched;
        }
        EXPECT_EQ(values, std::vector<float>(200, kUntouched));
      }
    }
  }
}

}  // namespace
}  // namespace resnetd::server
