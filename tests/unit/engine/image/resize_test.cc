// Placement, and the streaming resampler against Pillow and against a plain twin.
#include "engine/image/resize/resize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <tuple>

#include "engine/image/resize/axis.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_golden.h"

namespace resnetd::image {
namespace {

using ::testing::HasSubstr;

constexpr std::pair<const char*, Interpolation> kInterpolations[] = {
    {"nearest", Interpolation::kNearest}, {"bilinear", Interpolation::kBilinear}, {"bicubic", Interpolation::kBicubic}};

TEST(PlacementTest, SizesAndOffsetsAreTorchvisions) {
  struct Case {
    Resize resize;
    int resize_size, crop_height, crop_width, width, height;
    Axis x, y;
  };
  // These are the sums of torchvision's Resize and CenterCrop: e.g. int(256 * 500 / 375) = 341, round((341 - 224) / 2)
  // = round(58.5) = 58, round((343 - 224) / 2) = round(59.5) = 60.
  const Case cases[] = {
      {Resize::kShorterSide, 256, 224, 224, 500, 375, {500, 341, 58, 224}, {375, 256, 16, 224}},
      {Resize::kShorterSide, 256, 224, 224, 375, 500, {375, 256, 16, 224}, {500, 341, 58, 224}},
      {Resize::kShorterSide, 256, 224, 224, 343, 256, {343, 343, 60, 224}, {256, 256, 16, 224}},
      {Resize::kShorterSide, 256, 224, 224, 256, 256, {256, 256, 16, 224}, {256, 256, 16, 224}},
      {Resize::kShorterSide, 232, 224, 224, 333, 500, {333, 232, 4, 224}, {500, 348, 62, 224}},
      {Resize::kShorterSide, 225, 224, 224, 10, 10, {10, 225, 0, 224}, {10, 225, 0, 224}},
      {Resize::kShorterSide, 227, 224, 224, 10, 10, {10, 227, 2, 224}, {10, 227, 2, 224}},
      {Resize::kShorterSide, 256, 200, 100, 300, 200, {300, 384, 142, 100}, {200, 256, 28, 200}},
      {Resize::kShorterSide, 256, 224, 224, 1, 65500, {1, 256, 16, 224}, {65500, 16768000, 8383888, 224}},
      {Resize::kShorterSide, 65535, 224, 224, 65500, 1, {65500, 4292542500, 2146271138, 224}, {1, 65535, 32656, 224}},
      {Resize::kExact, 0, 28, 32, 500, 375, {500, 32, 0, 32}, {375, 28, 0, 28}},
      {Resize::kNone, 0, 28, 32, 32, 28, {32, 32, 0, 32}, {28, 28, 0, 28}},
      {Resize::kSquash, 256, 224, 224, 500, 375, {500, 256, 16, 224}, {375, 256, 16, 224}},
      {Resize::kSquash, 227, 224, 224, 10, 65500, {10, 227, 2, 224}, {65500, 227, 2, 224}},
      {Resize::kSquash, 224, 224, 224, 500, 375, {500, 224, 0, 224}, {375, 224, 0, 224}},
  };
  for (const Case& c : cases) {
    Recipe recipe;
    recipe.resize = c.resize;
    recipe.resize_size = recipe.resize_height = recipe.resize_width = c.resize_size;
    recipe.height = c.crop_height;
    recipe.width = c.crop_width;
    const absl::StatusOr<Placement> placement = Place(recipe, c.width, c.height);
    ASSERT_TRUE(placement.ok()) << placement.status();
    for (const auto& [is, wanted] : {std::pair(placement->x, c.x), std::pair(placement->y, c.y)}) {
      EXPECT_TRUE(is == wanted) << c.width << "x" << c.height << ": " << is.from << " -> " << is.to << ", " << is.count
                                << " from " << is.first;
    }
  }
}

TEST(PlacementTest, OddMarginsAreRoundedDownWhereTheRecipeSaysSo) {
  for (const auto& [side, even, down] : {std::tuple(226, 1, 1), std::tuple(227, 2, 1), std::tuple(229, 2, 2)}) {
    Recipe recipe;
    recipe.resize_size = side;
    EXPECT_EQ(Place(recipe, 10, 10)->x.first, even) << side;
    recipe.crop_offset = CropOffset::kDown;
    EXPECT_EQ(Place(recipe, 10, 10)->x.first, down) << side;
    EXPECT_EQ(Place(recipe, 10, 10)->y.first, down) << side;
  }
}

TEST(PlacementTest, WhatIsSmallerThanTheCropIsInItsMiddle) {
  for (const auto& [side, even, down] : {std::tuple(223, 0, 1), std::tuple(222, 1, 1), std::tuple(219, 2, 3),
                                         std::tuple(1, 111, 112), std::tuple(224, 0, 0)}) {
    Recipe recipe;
    recipe.resize_size = side;
    for (const auto& [offset, before] :
         {std::pair(CropOffset::kHalfToEven, even), std::pair(CropOffset::kDown, down)}) {
      recipe.crop_offset = offset;
      const Placement tall = *Place(recipe, 2, 1000);
      EXPECT_TRUE((tall.x == Axis{.from = 2, .to = side, .count = side})) << side;
      EXPECT_EQ(tall.left, before) << side;
      EXPECT_EQ(tall.y.count, 224) << side;
      EXPECT_EQ(tall.top, 0) << side;
      const Placement square = *Place(recipe, 10, 10);
      EXPECT_EQ(square.top, before) << side;
      EXPECT_EQ(square.y.count, side) << side;
    }
  }
}

TEST(PlacementTest, WithoutResizeOtherSizesAreRefused) {
  Recipe recipe = *FindPreset("mnist");
  recipe.resize = Resize::kNone;
  for (const auto& [width, height] : {std::pair(28, 27), std::pair(29, 28), std::pair(280, 280)}) {
    const absl::Status status = Place(recipe, width, height).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("expected an image of 28x28 pixels, got " + std::to_string(width)));
  }
}

struct Pixels {
  int width = 0, height = 0, channels = 0;
  std::vector<uint8_t> bytes;
};

Pixels Resample(Resampler& resampler, const Pixels& src, const Placement& placement, Interpolation interpolation) {
  Pixels dst{placement.x.count, placement.y.count, src.channels, {}};
  resampler.Start(placement, interpolation, src.channels);
  const auto take = [&](int y, const uint8_t* row) {
    EXPECT_EQ(dst.bytes.size(), static_cast<size_t>(y) * dst.width * dst.channels);
    dst.bytes.insert(dst.bytes.end(), row, row + dst.width * dst.channels);
  };
  for (int y = 0; y < src.height; ++y) {
    resampler.Push(src.bytes.data() + static_cast<size_t>(y) * src.width * src.channels, take);
  }
  return dst;
}

TEST(ResampleTest, BytesArePillows) {
  Resampler resampler;
  for (std::istringstream& line : ReadGoldenTable("resize.txt")) {
    std::string kind, filter, crc;
    Pixels src;
    int width = 0, height = 0;
    line >> kind >> src.channels >> src.width >> src.height >> filter >> width >> height >> crc;
    src.bytes = GoldenPixels(kind, src.width, src.height, src.channels);
    const Placement placement{{src.width, width, 0, width}, {src.height, height, 0, height}};
    const Pixels dst = Resample(resampler, src, placement, InterpolationByName(filter));
    ASSERT_EQ(dst.bytes.size(), static_cast<size_t>(width) * height * src.channels);
    EXPECT_EQ(Crc(AsBytes(dst.bytes)), crc) << line.str();
  }
}

// From 1x1 to 64x64, and odd ones up: sizes and offsets are torchvision's, bytes Pillow's.
TEST(ResampleTest, EverySizeIsCroppedAsPillowAndTorchvisionDo) {
  Resampler resampler;
  int sizes = 0;
  for (std::istringstream& line : ReadGoldenTable("sizes.txt")) {
    std::string kind, filter, crc;
    int channels = 0, resize_size = 0, crop = 0, width = 0, first = 0, last = 0;
    line >> kind >> channels >> filter >> resize_size >> crop >> width >> first >> last >> crc;
    Recipe recipe;
    recipe.resize = resize_size == 0 ? Resize::kExact : Resize::kShorterSide;
    recipe.resize_size = resize_size;
    recipe.height = recipe.width = crop;
    recipe.interpolation = InterpolationByName(filter);
    std::vector<uint8_t> crops;
    for (int height = first; height <= last; ++height, ++sizes) {
      const Placement placement = *Place(recipe, width, height);
      const Pixels src{width, height, channels, GoldenPixels(kind, width, height, channels)};
      const Pixels inside = Resample(resampler, src, placement, recipe.interpolation);
      const size_t start = crops.size(), row_bytes = size_t{1} * inside.width * channels;
      crops.resize(start + size_t{1} * crop * crop * channels);
      for (int y = 0; y < inside.height; ++y) {
        std::copy_n(inside.bytes.data() + y * row_bytes, row_bytes,
                    crops.data() + start + (size_t{1} * (placement.top + y) * crop + placement.left) * channels);
      }
    }
    EXPECT_EQ(Crc(AsBytes(crops)), crc) << line.str();
  }
  EXPECT_GT(sizes, 5 * 4096);
}

TEST(ResampleTest, SquashedAsPillowAndTorchvisionDo) {
  Resampler resampler;
  for (std::istringstream& line : ReadGoldenTable("squash.txt")) {
    std::string kind, filter, offset, crc;
    Pixels src;
    Recipe recipe;
    line >> kind >> src.channels >> src.width >> src.height >> filter >> recipe.resize_width >> recipe.resize_height >>
        recipe.width >> recipe.height >> offset >> crc;
    recipe.resize = Resize::kSquash;
    recipe.crop_offset = offset == "down" ? CropOffset::kDown : CropOffset::kHalfToEven;
    const Placement placement = *Place(recipe, src.width, src.height);
    src.bytes = GoldenPixels(kind, src.width, src.height, src.channels);
    const Pixels dst = Resample(resampler, src, placement, InterpolationByName(filter));
    EXPECT_EQ(dst.bytes.size(), size_t{1} * recipe.width * recipe.height * src.channels) << line.str();
    EXPECT_EQ(Crc(AsBytes(dst.bytes)), crc) << line.str();
  }
}

// The twin: one axis of the whole image at a time, weights computed where they are used, cropped at the end.
double Weight(Interpolation interpolation, double x) {
  x = std::abs(x);
  if (interpolation == Interpolation::kBilinear) return std::max(1 - x, 0.0);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
  return 0;
}

uint8_t PlainSample(const std::vector<uint8_t>& line, int to, int i, Interpolation interpolation) {
  const int from = static_cast<int>(line.size());
  const double scale = static_cast<double>(from) / to;
  if (interpolation == Interpolation::kNearest) {
    double position = scale * 0.5;
    for (int step = 0; step < i; ++step) position += scale;
    return line[static_cast<int>(position)];
  }
  const double stretch = std::max(scale, 1.0), centre = (i + 0.5) * scale;
  const double radius = (interpolation == Interpolation::kBicubic ? 2 : 1) * stretch;
  const int start = std::max(static_cast<int>(centre - radius + 0.5), 0);
  const int end = std::min(static_cast<int>(centre + radius + 0.5), from);
  double total = 0;
  for (int j = start; j < end; ++j) total += Weight(interpolation, (j - centre + 0.5) * (1 / stretch));
  int64_t sum = 1 << 21;
  for (int j = start; j < end; ++j) {
    const double weight = Weight(interpolation, (j - centre + 0.5) * (1 / stretch)) / total * (1 << 22);
    sum += line[j] * static_cast<int64_t>(weight < 0 ? weight - 0.5 : weight + 0.5);
  }
  return static_cast<uint8_t>(std::clamp<int64_t>(sum >> 22, 0, 255));
}

Pixels PlainColumns(const Pixels& src, int to, Interpolation interpolation) {
  Pixels dst{src.width, to, src.channels, std::vector<uint8_t>(size_t{1} * src.width * to * src.channels)};
  const int row = src.width * src.channels;
  std::vector<uint8_t> line(src.height);
  for (int x = 0; x < row; ++x) {
    for (int y = 0; y < src.height; ++y) line[y] = src.bytes[y * row + x];
    for (int y = 0; y < to; ++y) dst.bytes[y * row + x] = PlainSample(line, to, y, interpolation);
  }
  return dst;
}

Pixels Transposed(const Pixels& src) {
  Pixels dst{src.height, src.width, src.channels, {}};
  for (int x = 0; x < src.width; ++x) {
    for (int y = 0; y < src.height; ++y) {
      for (int c = 0; c < src.channels; ++c) dst.bytes.push_back(src.bytes[(y * src.width + x) * src.channels + c]);
    }
  }
  return dst;
}

Pixels PlainResample(const Pixels& src, const Placement& placement, Interpolation interpolation) {
  const Pixels rows = Transposed(PlainColumns(Transposed(src), static_cast<int>(placement.x.to), interpolation));
  const Pixels whole = PlainColumns(rows, static_cast<int>(placement.y.to), interpolation);
  Pixels dst{placement.x.count, placement.y.count, src.channels, {}};
  for (int y = 0; y < dst.height; ++y) {
    const auto row = whole.bytes.begin() + ((placement.y.first + y) * whole.width + placement.x.first) * src.channels;
    dst.bytes.insert(dst.bytes.end(), row, row + dst.width * src.channels);
  }
  return dst;
}

Axis RandomAxis(std::mt19937& random) {
  Axis axis;
  axis.from = 1 + static_cast<int>(random() % 60);
  axis.to = 1 + static_cast<int>(random() % 60);
  axis.count = 1 + static_cast<int>(random() % axis.to);
  axis.first = static_cast<int>(random() % (axis.to - axis.count + 1));
  return axis;
}

TEST(ResampleTest, SameAsThePlainTwin) {
  std::mt19937 random(1);
  Resampler resampler;
  for (int i = 0; i < 600; ++i) {
    const Placement placement{RandomAxis(random), RandomAxis(random)};
    const auto& [name, interpolation] = kInterpolations[i % 3];
    Pixels src{placement.x.from, placement.y.from, i % 2 == 0 ? 1 : 3, {}};
    src.bytes.resize(size_t{1} * src.width * src.height * src.channels);
    // Every other image has extremes only: cubic weights overshoot there.
    for (uint8_t& byte : src.bytes) byte = static_cast<uint8_t>(i % 4 < 2 ? random() : random() % 2 * 255);
    ASSERT_EQ(Resample(resampler, src, placement, interpolation).bytes,
              PlainResample(src, placement, interpolation).bytes)
        << "case " << i << ", " << name << ", " << src.channels << " channels: " << placement.x.from << "x"
        << placement.y.from << " -> " << placement.x.to << "x" << placement.y.to << ", kept " << placement.x.count
        << "x" << placement.y.count << " from " << placement.x.first << ", " << placement.y.first;
  }
}

// A tall narrow photo scaled by its shorter side would be 256 x 16,768,000; only the crop is ever computed. At the most
// that a recipe may say, it would be 65,535 x 4,292,542,500.
TEST(ResampleTest, HugeScaledImagesAreNotBuilt) {
  Resampler resampler;
  for (const int resize_size : {256, 65535}) {
    Recipe recipe;
    recipe.resize_size = resize_size;
    const Placement placement = *Place(recipe, 1, 65500);
    for (const auto& [name, interpolation] : kInterpolations) {
      const Pixels dst =
          Resample(resampler, {1, 65500, 3, std::vector<uint8_t>(size_t{65500} * 3, 77)}, placement, interpolation);
      EXPECT_EQ(dst.bytes, std::vector<uint8_t>(size_t{224} * 224 * 3, 77)) << name << " " << resize_size;
    }
  }
}

// Sums of all sizes, and steps that end halfway between two doubles of the sum's size.
TEST(TapsTest, AddRepeatedlyIsALoop) {
  std::mt19937_64 random(1);
  const auto number = [&random](int bits, int exponent) {
    return std::ldexp(static_cast<double>(1 + (random() >> (64 - bits))), exponent - bits);
  };
  for (int i = 0; i < 20'000; ++i) {
    const double first = number(1 + static_cast<int>(random() % 53), static_cast<int>(random() % 20) - 10);
    const double step = number(1 + static_cast<int>(random() % 53), -static_cast<int>(random() % 40));
    const int times = static_cast<int>(random() % 2000);
    double sum = first;
    for (int t = 0; t < times; ++t) sum += step;
    ASSERT_EQ(AddRepeatedly(first, step, times), sum)
        << "case " << i << ": " << first << " + " << times << " * " << step;
  }
}

// Steps so small that the sum moves by less than it holds, by its last bit, or not at all; more of them fit between two
// powers of two than 63 bits can count.
TEST(TapsTest, AddRepeatedlyOfTheSmallestSteps) {
  constexpr int64_t kMany = int64_t{1} << 40;
  const double bit = std::ldexp(1.0, -52);  // of 1, the last
  for (const double step : {std::numeric_limits<double>::denorm_min(), std::ldexp(1.0, -1000), bit / 4, bit / 2}) {
    EXPECT_EQ(AddRepeatedly(1, step, 1000), 1) << step;
    EXPECT_EQ(AddRepeatedly(1, step, kMany), 1) << step;
    EXPECT_EQ(AddRepeatedly(3, step, std::numeric_limits<int64_t>::max()), 3) << step;
  }
  EXPECT_EQ(AddRepeatedly(1, bit, kMany), 1 + static_cast<double>(kMany) * bit);
  EXPECT_EQ(AddRepeatedly(1, bit * 3 / 4, kMany), 1 + static_cast<double>(kMany) * bit);
  // From a half up half a bit of 1 is a whole one, from 1 on it is lost: the loop stops there.
  EXPECT_EQ(AddRepeatedly(0.5, bit / 2, std::numeric_limits<int64_t>::max()), 1);
  const double tiny = std::ldexp(1.0, -1060);
  EXPECT_EQ(AddRepeatedly(tiny, tiny, kMany), tiny * (static_cast<double>(kMany) + 1));
}

}  // namespace
}  // namespace resnetd::image
