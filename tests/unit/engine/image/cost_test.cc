// Tests the predicted cost of a file. The rates themselves are measured; here: what raises them, and what bounds them.
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
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
    const double one = DecodeNanoseconds(header, 20'000);
    EXPECT_GT(one, 1e6);
    EXPECT_LT(one, 2e7);
    EXPECT_GT(DecodeNanoseconds(header, 40'000), one);
    header.width *= 2;
    const double of_any_file = DecodeNanoseconds({.format = format, .height = header.height}, 0);
    EXPECT_DOUBLE_EQ(DecodeNanoseconds(header, 40'000), 2 * one - of_any_file);
  }
}

TEST(CostTest, ScansAndArithmeticCodingAreDear) {
  Header header = OfMegapixel(Format::kJpeg);
  const double baseline = PerPixel(header, 0);
  header.planes = 3;
  EXPECT_EQ(PerPixel(header, 0), baseline);
  header.planes = 4;  // CMYK
  EXPECT_GT(PerPixel(header, 0), 1.5 * baseline);
  header.scans = 10;
  const double progressive = PerPixel(header, 0);
  EXPECT_GT(progressive, 3 * baseline);
  header.scans = 100;
  EXPECT_GT(PerPixel(header, 0), 60);
  header.arithmetic = true;
  header.planes = 100;
  EXPECT_GT(PerPixel(header, 0), 200);
  header.planes = 300;  // three components a scan
  EXPECT_GT(PerPixel(header, 0), 600);
  header.scans = header.planes = 1;
  EXPECT_GT(PerPixel(header, 1'000'000), 10 * PerPixel(OfMegapixel(Format::kJpeg), 1'000'000));
}

// Each row is asked for, and each again in each pass of an interlaced PNG.
TEST(CostTest, RowsCount) {
  for (const Format format : {Format::kJpeg, Format::kPng, Format::kWebp}) {
    Header wide = OfMegapixel(format), tall = wide;
    wide.width = tall.height = 50'000;
    wide.height = tall.width = 20;
    EXPECT_GT(DecodeNanoseconds(tall, 0), DecodeNanoseconds(wide, 0) + 1e6) << static_cast<int>(format);
  }
  Header png = OfMegapixel(Format::kPng), interlaced = png;
  interlaced.interlaced = true;
  EXPECT_GT(PerPixel(interlaced, 0), PerPixel(png, 0) + 3);
}

// A sign of more work never makes a file cheaper. (More pixels do where a PNG's bytes are more than they need.)
TEST(CostTest, MoreIsNeverCheaper) {
  std::vector<Header> headers;
  for (const bool set : {false, true}) {
    Header jpeg = OfMegapixel(Format::kJpeg), png = OfMegapixel(Format::kPng), webp = OfMegapixel(Format::kWebp);
    jpeg.arithmetic = png.interlaced = webp.lossless = set;
    headers.insert(headers.end(), {jpeg, png, webp});
  }
  for (const Header& header : headers) {
    SCOPED_TRACE(absl::StrCat(static_cast<int>(header.format), header.arithmetic, header.interlaced, header.lossless));
    for (const size_t bytes : {size_t{0}, size_t{1'000}, size_t{kPixels}}) {
      const double price = DecodeNanoseconds(header, bytes);
      Header wider = header, taller = header, deeper = header, more_scans = header, more_planes = header;
      wider.width *= 2, taller.height *= 2, deeper.bits *= 2, ++more_scans.scans, ++more_planes.planes;
      for (const Header& more : {wider, taller, deeper, more_scans, more_planes}) {
        EXPECT_GE(DecodeNanoseconds(more, bytes), price) << bytes;
      }
      EXPECT_GE(DecodeNanoseconds(header, bytes + 1000), price) << bytes;
    }
  }
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
