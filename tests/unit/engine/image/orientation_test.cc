// Photographs that say how the camera was held.
#include "engine/image/decode/orientation.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_golden.h"

namespace resnetd::image {
namespace {

using std::string_literals::operator""s;

// As the tool that made the files wrote it: what they say is in the last but five bytes, or four.
const std::string kBig = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"s;
const std::string kLittle = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"s;

std::string BigEndian(size_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 255);
  return text;
}

// The golden file with another orientation, and the checksum that a PNG needs then.
std::string WithOrientation(const std::string& name, int value) {
  const std::string to(1, static_cast<char>(value));
  std::string big = kBig, little = kLittle, file = ReadGoldenFile(name);
  big.replace(19, 1, to);
  little.replace(18, 1, to);
  file = absl::StrReplaceAll(file, {{kBig, big}, {kLittle, little}});
  if (const size_t chunk = file.find("eXIf"); chunk != file.npos) {
    const size_t size = 4 + kLittle.size();
    const std::string crc = Crc(AsBytes(file).subspan(chunk, size));
    file.replace(chunk + size, 4, BigEndian(std::stoul(crc, nullptr, 16), 4));
  }
  return file;
}

// The image as bytes, interleaved, through the whole of the preprocessing.
std::vector<uint8_t> Prepare(const std::string& file, Orientation orientation, int width, int height, int channels) {
  Recipe recipe = FitToInput(*FindPreset("none"), height, width);
  recipe.orientation = orientation;
  if (channels == 1) recipe.colour = Colour::kGrey;
  std::vector<float> values(size_t{1} * width * height * channels);
  const TensorView view{values.data(), height, width, channels, ptrdiff_t{width} * channels, channels, 1};
  const absl::Status status = Preprocessor().FromFile(AsBytes(file), recipe, view);
  EXPECT_TRUE(status.ok()) << status;
  return {values.begin(), values.end()};
}

TEST(OrientationTest, ImagesAreTurnedAsPillowTurnsThem) {
  int turned = 0;
  for (std::istringstream& line : ReadGoldenTable("orientation.txt")) {
    std::string name, crc;
    int value = 0, width = 0, height = 0;
    line >> name >> value >> width >> height >> crc;
    const std::string file = WithOrientation(name, value);
    EXPECT_EQ(Crc(AsBytes(Prepare(file, Orientation::kApply, width, height, 3))), crc) << line.str();
    if (SwapsSides(value) && value <= 8) std::swap(width, height);
    EXPECT_EQ(Prepare(file, Orientation::kIgnore, width, height, 3),
              Prepare(WithOrientation(name, 1), Orientation::kApply, width, height, 3))
        << line.str();
    ++turned;
  }
  EXPECT_EQ(turned, 30);
}

// Sizes around the strips in which columns become rows, against the definition.
TEST(OrientationTest, EverySizeIsTurned) {
  Scratch scratch;  // one for all: nothing of one image may show in the next
  for (const int width : {1, 2, 15, 16, 17, 33}) {
    for (const int height : {1, 2, 16, 31}) {
      for (const int channels : {1, 3}) {
        const std::vector<uint8_t> stored = GoldenPixels("noise", width, height, channels);
        for (int orientation = 1; orientation <= 8; ++orientation) {
          std::vector<uint8_t> wanted(stored.size()), upright;
          const int upright_width = SwapsSides(orientation) ? height : width;
          for (int y = 0; y < height; ++y) {
            for (int x = 0; x < width; ++x) {
              const int left = x, right = width - 1 - x, top = y, bottom = height - 1 - y;
              const std::pair<int, int> to[] = {{left, top}, {right, top},   {right, bottom}, {left, bottom},
                                                {top, left}, {bottom, left}, {bottom, right}, {top, right}};
              const auto& [u, v] = to[orientation - 1];
              std::copy_n(&stored[(y * width + x) * channels], channels, &wanted[(v * upright_width + u) * channels]);
            }
          }
          Turner turner(orientation, width, height, channels, scratch);
          for (int y = 0; y < height; ++y) {
            turner.Push(&stored[y * width * channels], [&](const uint8_t* row) {
              upright.insert(upright.end(), row, row + upright_width * channels);
            });
          }
          EXPECT_EQ(upright, wanted) << width << "x" << height << "x" << channels << ", " << orientation;
        }
      }
    }
  }
}

std::string Jpeg(const std::string& app1) {
  const std::string file = ReadGoldenFile("420.jpg");
  return absl::StrCat("\xFF\xD8\xFF\xE1", BigEndian(app1.size() + 2, 2), app1, file.substr(2));
}

TEST(OrientationTest, WhatCannotBeUnderstoodIsUpright) {
  const std::string start = "Exif\0\0"s;
  const std::string other_tag =
                        "\x01\x0F\0\x02\0\0\0\x04"
                        "abcd"s,
                    tag = kBig.substr(10, 12);
  const std::string head = kBig.substr(0, 8);
  struct Case {
    const char* name;
    std::string app1;
    int orientation;
  };
  const Case cases[] = {
      {"highest byte first", start + kBig, 6},
      {"lowest byte first", start + kLittle, 6},
      {"another tag first", absl::StrCat(start, head, "\0\2"s, other_tag, tag), 6},
      {"more tags announced than there are", absl::StrCat(start, head, "\xFF\xFF", tag), 6},
      {"as many tags as announced, another behind", absl::StrCat(start, head, "\0\1"s, other_tag, tag), 1},
      {"cut off in the tag", start + kBig.substr(0, 21), 1},
      {"cut off before the tags", start + kBig.substr(0, 9), 1},
      {"cut off in the header", start + kBig.substr(0, 7), 1},
      {"empty", start, 1},
      {"not EXIF", "http://ns.adobe.com/xap/1.0/\0"s + kBig, 1},
      {"neither byte order", start + "IM" + kBig.substr(2), 1},
      {"the tags before the beginning", absl::StrCat(start, "MM\0*\xFF\xFF\xFF\xFF"s, kBig.substr(8)), 1},
      {"the tags at the end", absl::StrCat(start, "MM\0*\0\0\0\x1A"s, kBig.substr(8)), 1},
      {"a tag of another type", absl::StrCat(start, head, "\0\1\x01\x12\0\x02\0\0\0\x01\0\x06\0\0"s), 1},
      {"the largest value", absl::StrCat(start, head, "\0\1\x01\x12\0\x03\0\0\0\x01\0\x08\0\0"s), 8},
      {"a value too large", absl::StrCat(start, head, "\0\1\x01\x12\0\x03\0\0\0\x01\0\x09\0\0"s), 1},
      {"a value of zero", absl::StrCat(start, head, "\0\1\x01\x12\0\x03\0\0\0\x01\0\0\0\0"s), 1},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(ReadOrientation(AsBytes(Jpeg(c.app1)), Format::kJpeg), c.orientation) << c.name;
  }
  EXPECT_EQ(ReadOrientation(AsBytes(ReadGoldenFile("420.jpg")), Format::kJpeg), 1);
  EXPECT_EQ(ReadOrientation(AsBytes(ReadGoldenFile("rgb8.png")), Format::kPng), 1);
  EXPECT_EQ(ReadOrientation(AsBytes(ReadGoldenFile("lossy.webp")), Format::kWebp), 1);
}

TEST(OrientationTest, TurningCosts) {
  const Header header{.width = 1000, .height = 1000};
  EXPECT_EQ(TurnNanoseconds(header, 1), 0);
  double before = 0;
  for (const int orientation : {2, 3, 6}) {
    EXPECT_GT(TurnNanoseconds(header, orientation), before) << orientation;
    before = TurnNanoseconds(header, orientation);
  }
  EXPECT_EQ(TurnNanoseconds(header, 8), before);
  EXPECT_LT(before, 10e6);
}

// Wherever the file ends, nothing behind it is read: under the sanitizers this would show.
TEST(OrientationTest, FilesMayEndAnywhere) {
  const std::pair<const char*, Format> cases[] = {
      {"exif.jpg", Format::kJpeg}, {"exif.png", Format::kPng}, {"exif.webp", Format::kWebp}};
  for (const auto& [name, format] : cases) {
    const std::string file = ReadGoldenFile(name);
    int known = 0;
    for (size_t length = 0; length <= file.size(); ++length) {
      const std::vector<char> cut(file.begin(), file.begin() + static_cast<ptrdiff_t>(length));
      const int orientation = ReadOrientation(AsBytes(cut), format);
      EXPECT_TRUE(orientation == 1 || orientation == 6) << name << ", " << length;
      known += orientation == 6;
    }
    EXPECT_GT(known, 0) << name;
  }
}

}  // namespace
}  // namespace resnetd::image
