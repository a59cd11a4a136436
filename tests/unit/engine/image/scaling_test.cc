// JPEG's DCT scaling: what Pillow's draft mode and resize make of it, and that nothing else is scaled.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "engine/image/decode/decode.h"
#include "engine/image/image.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_golden.h"

namespace resnetd::image {
namespace {

using ::testing::HasSubstr;

// The bytes before the orientation in exif.jpg.
const std::string kExif("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19);

constexpr std::pair<const char*, Interpolation> kInterpolations[] = {
    {"nearest", Interpolation::kNearest}, {"bilinear", Interpolation::kBilinear}, {"bicubic", Interpolation::kBicubic}};

Recipe ExactSize(int width, int height) {
  Recipe recipe;
  recipe.resize = Resize::kExact;
  recipe.width = width;
  recipe.height = height;
  recipe.mean = {0, 0, 0, 0};
  recipe.std = {1, 1, 1, 1};
  recipe.dct_scaling = true;
  return recipe;
}

struct Tensor {
  absl::Status status;
  std::vector<float> values;  // NCHW
};

Tensor Preprocessed(const std::string& file, const Recipe& recipe) {
  const ptrdiff_t plane = ptrdiff_t{1} * recipe.height * recipe.width;
  Tensor tensor{.status = {}, .values = std::vector<float>(plane * recipe.channels())};
  const TensorView view{tensor.values.data(), recipe.height, recipe.width, recipe.channels(), recipe.width, 1, plane};
  tensor.status = Preprocessor().FromFile(AsBytes(file), recipe, view);
  return tensor;
}

TEST(DctScalingTest, InputIsWhatPillowsDraftModeMakes) {
  for (std::istringstream& line : ReadGoldenTable("scaled.txt")) {
    std::string name, filter, crc;
    int orientation = 0, width = 0, height = 0;
    line >> name >> orientation >> filter >> width >> height >> crc;
    std::string file = ReadGoldenFile(name);
    Recipe recipe = ExactSize(width, height);
    if (orientation > 0) {
      recipe.orientation = Orientation::kApply;
      file[file.find(kExif) + kExif.size()] = static_cast<char>(orientation);
    }
    for (const auto& [known, interpolation] : kInterpolations) {
      if (filter == known) recipe.interpolation = interpolation;
    }
    const Tensor tensor = Preprocessed(file, recipe);
    ASSERT_TRUE(tensor.status.ok()) << line.str() << ": " << tensor.status;
    EXPECT_EQ(Crc(AsBytes(tensor.values)), crc) << line.str();
  }
}

// 45x37 pixels: scaled where both sides are at least twice as many as what is made of them.
TEST(DctScalingTest, OnlyWhatIsLargeEnoughIsScaled) {
  const std::string file = ReadGoldenFile("420.jpg");
  for (const auto& [width, height, scaled] :
       {std::tuple(22, 18, true), std::tuple(23, 18, false), std::tuple(22, 19, false), std::tuple(45, 37, false)}) {
    Recipe recipe = ExactSize(width, height);
    const Tensor with = Preprocessed(file, recipe);
    recipe.dct_scaling = false;
    EXPECT_EQ(with.values != Preprocessed(file, recipe).values, scaled) << width << "x" << height;
  }
}

// The recipe's size is that of the whole scaled image, not of what the crop keeps.
TEST(DctScalingTest, TheCropIsOfTheScaledImage) {
  const std::string file = ReadGoldenFile("420.jpg");
  for (const auto& [side, scaled] : {std::tuple(18, true), std::tuple(19, false)}) {
    Recipe recipe;
    recipe.resize_size = side;
    recipe.height = recipe.width = 8;
    const Tensor without = Preprocessed(file, recipe);
    recipe.dct_scaling = true;
    EXPECT_EQ(Preprocessed(file, recipe).values != without.values, scaled) << side;
  }
}

TEST(DctScalingTest, OtherFormatsAreNotScaled) {
  for (const char* name : {"rgb8.png", "lossy.webp", "grey8.png"}) {
    Recipe recipe = ExactSize(2, 2);
    const Tensor with = Preprocessed(ReadGoldenFile(name), recipe);
    ASSERT_TRUE(with.status.ok()) << name << ": " << with.status;
    recipe.dct_scaling = false;
    EXPECT_EQ(with.values, Preprocessed(ReadGoldenFile(name), recipe).values) << name;
  }
}

TEST(DctScalingTest, DecodesSoManyRowsOfSoManyPixels) {
  for (const char* name :
       {"420.jpg", "422.jpg", "444.jpg", "cmyk.jpg", "grey.jpg", "progressive.jpg", "restarts.jpg"}) {
    const std::string file = ReadGoldenFile(name);
    const Header header = *Sniff(AsBytes(file), Limits());
    for (const int shrink : {1, 2, 4, 8}) {
      for (const int channels : {1, 3}) {
        int rows = 0;
        const size_t row_bytes = size_t{1} * channels * ((header.width + shrink - 1) / shrink);
        std::vector<uint8_t> pixels;
        const auto take = [&](const uint8_t* row) {
          ++rows;
          pixels.assign(row, row + row_bytes);
        };
        const absl::Status status = DecodeJpeg(AsBytes(file), header, {.channels = channels, .shrink = shrink}, take);
        EXPECT_TRUE(status.ok()) << name << " 1/" << shrink << ": " << status;
        EXPECT_EQ(rows, (header.height + shrink - 1) / shrink) << name << " 1/" << shrink;
      }
    }
  }
}

// If the whole image is refused, so is the scaled one.
TEST(DctScalingTest, TruncatedFilesAreRefused) {
  for (std::istringstream& line : ReadGoldenTable("decode.txt")) {
    std::string name, rgb, grey;
    int width = 0, height = 0;
    size_t accepted_from = 0;
    line >> name >> width >> height >> rgb >> grey >> accepted_from;
    const std::string file = ReadGoldenFile(name);
    if (!absl::EndsWith(name, ".jpg")) continue;
    for (const int shrink : {2, 4, 8}) {
      for (size_t length = std::max<size_t>(accepted_from, 201) - 200; length <= file.size(); ++length) {
        const absl::Span<const std::byte> cut = AsBytes(file).subspan(0, length);
        const absl::Status status =
            DecodeJpeg(cut, {Format::kJpeg, width, height}, {.shrink = shrink}, [](const uint8_t*) {});
        ASSERT_EQ(status.ok(), length >= accepted_from) << name << " 1/" << shrink << " cut off at " << length;
        EXPECT_THAT(std::string(status.message()), HasSubstr(status.ok() ? "" : "truncated")) << name;
      }
    }
  }
}

}  // namespace
}  // namespace resnetd::image
