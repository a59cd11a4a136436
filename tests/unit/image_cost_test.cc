// What a file is predicted to cost. The rates themselves are measured; here: what raises them, and what bounds them.
#include <cstdint>

#include "engine/image/image.h"
#include "gtest/gtest.h"

namespace resnetd::image {
namespace {

constexpr int64_t kPixels = 1'000'000;

Header OfMegapixel(Format format) {
  Header header;
  header.format = format;
  header.width = header.height = 1000;
  return header;
}

double PerPixel(const Header& header, size_t bytes) {
  return DecodeNanoseconds(header, bytes) / static_cast<double>(kPixels);
}

TEST(CostTest, GrowsWithPixelsAndBytes) {
  for (const Format format : {Format::kJpeg, Format::kPng, Format::kWebp}) {
    SCOPED_TRACE(static_cast<int>(format));
    Header header = OfMegapixel(format);
    const double one = DecodeNanoseconds(header, 100'000);
    EXPECT_GT(one, 1e6);
    EXPECT_LT(one, 2e7);
    EXPECT_GT(DecodeNanoseconds(header, 200'000), one);
    header.width *= 2;
    const double of_any_file = DecodeNanoseconds({.format = format}, 0);
    EXPECT_DOUBLE_EQ(DecodeNanoseconds(header, 200'000), 2 * one - of_any_file);
  }
}

TEST(CostTest, ScansAndArithmeticCodingAreDear) {
  Header header = OfMegapixel(Format::kJpeg);
  const double baseline = PerPixel(header, 0);
  header.scans = 10;
  const double progressive = PerPixel(header, 0);
  EXPECT_GT(progressive, 3 * baseline);
  header.scans = 100;
  EXPECT_GT(PerPixel(header, 0), 60);
  header.arithmetic = true;
  EXPECT_GT(PerPixel(header, 0), 300);
  header.scans = 1;
  EXPECT_GT(PerPixel(header, 1'000'000), 10 * PerPixel(OfMegapixel(Format::kJpeg), 1'000'000) - 10);
}

// As many bytes as the pixels have are what an encoder needs at most.
TEST(CostTest, LosslessFormatsAreBounded) {
  constexpr size_t kMany = 2'000'000;
  Header png = OfMegapixel(Format::kPng), webp = OfMegapixel(Format::kWebp);
  double before = 0;
  for (const int bits : {16, 24, 32, 64}) {
    png.bits = bits;
    EXPECT_GT(PerPixel(png, kMany), before) << bits;
    before = PerPixel(png, kMany);
  }
  EXPECT_LT(before, 50);
  EXPECT_GT(PerPixel(png, 8 * kPixels + kMany), before + 100);  // nothing but empty blocks can be in more
  webp.lossless = true;
  EXPECT_LT(PerPixel(webp, kMany), 20);
  EXPECT_LT(PerPixel(webp, 10), PerPixel(webp, kMany));
}

}  // namespace
}  // namespace resnetd::image
