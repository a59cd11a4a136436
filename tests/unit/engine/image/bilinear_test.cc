// The resamplers without antialiasing, against what OpenCV and TensorFlow recorded and against plain twins.
#include "engine/image/resize/bilinear.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/image/resize/axis.h"
#include "gtest/gtest.h"
#include "tests/support/image_golden.h"

namespace resnetd::image {
namespace {

struct Pixels {
  int width, height, channels;
  std::vector<uint8_t> bytes;
};

Pixels Golden(absl::string_view kind, int width, int height, int channels) {
  return {width, height, channels, GoldenPixels(kind, width, height, channels)};
}

template <typename Kept, typename Out>
std::vector<Out> Resample(BilinearResampler<Kept, Out>& resampler, const Pixels& src, const Placement& placement) {
  std::vector<Out> dst;
  const size_t row_values = size_t{1} * placement.x.count * src.channels;
  resampler.Start(placement, src.channels);
  const auto take = [&](int y, const Out* row) {
    EXPECT_EQ(dst.size(), static_cast<size_t>(y) * row_values);
    dst.insert(dst.end(), row, row + row_values);
  };
  for (int y = 0; y < src.height; ++y) {
    // An allocation of its own for each row: what is read beyond it is seen by AddressSanitizer.
    const auto begin = src.bytes.begin() + ptrdiff_t{1} * y * src.width * src.channels;
    resampler.Push(std::vector<uint8_t>(begin, begin + ptrdiff_t{1} * src.width * src.channels).data(), take);
  }
  EXPECT_EQ(dst.size(), row_values * placement.y.count);
  return dst;
}

Placement Whole(const Pixels& src, int width, int height) {
  return {{src.width, width, 0, width}, {src.height, height, 0, height}};
}

template <typename Out>
void AddInside(const std::vector<Out>& inside, const Placement& placement, int channels, int crop,
               std::vector<Out>& crops) {
  const size_t start = crops.size(), row_values = size_t{1} * placement.x.count * channels;
  crops.resize(start + size_t{1} * crop * crop * channels);
  for (int y = 0; y < placement.y.count; ++y) {
    std::copy_n(inside.data() + y * row_values, row_values,
                crops.data() + start + (size_t{1} * (placement.top + y) * crop + placement.left) * channels);
  }
}

class BilinearTest : public testing::Test {
 protected:
  Cv2Resampler cv2_;  // one for all: nothing of one image may show in the next
  Tf2Resampler tf2_;
};

TEST_F(BilinearTest, ResultsAreTheLibraries) {
  for (std::istringstream& line : ReadGoldenTable("bilinear.txt")) {
    std::string kind, name, crc;
    int channels = 0, from_width = 0, from_height = 0, width = 0, height = 0;
    line >> kind >> channels >> from_width >> from_height >> name >> width >> height >> crc;
    const Pixels src = Golden(kind, from_width, from_height, channels);
    const bool cv2 = InterpolationByName(name) == Interpolation::kBilinearCv2;
    EXPECT_EQ(cv2 ? Crc(AsBytes(Resample(cv2_, src, Whole(src, width, height))))
                  : Crc(AsBytes(Resample(tf2_, src, Whole(src, width, height)))),
              crc)
        << line.str();
  }
}

template <typename Resampler>
std::string CropsOfAllHeights(Resampler& resampler, const Recipe& recipe, int width, int first, int last) {
  std::vector<std::remove_cvref_t<decltype(Resample(resampler, {}, {})[0])>> crops;
  for (int height = first; height <= last; ++height) {
    const Placement placement = *Place(recipe, width, height);
    const Pixels src = Golden("noise", width, height, recipe.channels());
    AddInside(Resample(resampler, src, placement), placement, recipe.channels(), recipe.width, crops);
  }
  return Crc(AsBytes(crops));
}

// From 1x1 to 64x64, and odd ones up: each remainder of a size, larger, smaller and the same.
TEST_F(BilinearTest, EverySizeIsTheLibraries) {
  int sizes = 0;
  for (std::istringstream& line : ReadGoldenTable("bilinear_sizes.txt")) {
    std::string kind, name, crc;
    int channels = 0, resize_size = 0, crop = 0, width = 0, first = 0, last = 0;
    line >> kind >> channels >> name >> resize_size >> crop >> width >> first >> last >> crc;
    ASSERT_EQ(kind, "noise");
    Recipe recipe;
    recipe.resize = resize_size == 0 ? Resize::kExact : Resize::kShorterSide;
    recipe.resize_size = resize_size;
    recipe.height = recipe.width = crop;
    recipe.colour = channels == 1 ? Colour::kGrey : Colour::kRgb;
    const bool cv2 = InterpolationByName(name) == Interpolation::kBilinearCv2;
    EXPECT_EQ(
        cv2 ? CropsOfAllHeights(cv2_, recipe, width, first, last) : CropsOfAllHeights(tf2_, recipe, width, first, last),
        crc)
        << line.str();
    sizes += last - first + 1;
  }
  EXPECT_GT(sizes, 8 * 4096);
}

// OpenCV documents INTER_LINEAR as the area mean where both sides are exactly halved.
TEST_F(BilinearTest, HalfTheSizeIsTheMeanOfFour) {
  for (const int channels : {1, 3}) {
    for (const auto& [width, height] : {std::pair(1, 1), std::pair(2, 5), std::pair(31, 3), std::pair(224, 7)}) {
      for (const char* kind : {"noise", "extremes"}) {
        const Pixels src = Golden(kind, 2 * width, 2 * height, channels);
        const auto at = [&](int y, int x, int c) { return src.bytes[(size_t{1} * y * src.width + x) * channels + c]; };
        std::vector<uint8_t> means;
        for (int i = 0; i < width * height * channels; ++i) {
          const int c = i % channels, x = 2 * (i / channels % width), y = 2 * (i / channels / width);
          means.push_back((at(y, x, c) + at(y, x + 1, c) + at(y + 1, x, c) + at(y + 1, x + 1, c) + 2) / 4);
        }
        EXPECT_EQ(Resample(cv2_, src, Whole(src, width, height)), means) << width << "x" << height << " " << kind;
      }
    }
  }
}

// The twin of TensorFlow's: each pixel by itself, in double, of the whole scaled image.
double PlainLevel(const Pixels& src, const Placement& placement, int x, int y, int c) {
  const auto neighbours = [](const Axis& axis, int i, int& first, int& second) {
    const double scale = static_cast<double>(axis.from) / static_cast<double>(axis.to);
    const double centre = (static_cast<double>(axis.first + i) + 0.5) * scale - 0.5;
    first = std::clamp(static_cast<int>(std::floor(centre)), 0, axis.from - 1);
    second = std::clamp(static_cast<int>(std::floor(centre)) + 1, 0, axis.from - 1);
    return centre - std::floor(centre);
  };
  int x0 = 0, x1 = 0, y0 = 0, y1 = 0;
  const double across = neighbours(placement.x, x, x0, x1), down = neighbours(placement.y, y, y0, y1);
  const auto at = [&](int row, int column) {
    return src.bytes[(size_t{1} * row * src.width + column) * src.channels + c];
  };
  const auto mix = [](double a, double b, double fraction) { return a * (1 - fraction) + b * fraction; };
  return mix(mix(at(y0, x0), at(y0, x1), across), mix(at(y1, x0), at(y1, x1), across), down);
}

Axis RandomAxis(std::mt19937& random) {
  Axis axis;
  axis.from = 1 + static_cast<int>(random() % 60);
  axis.to = 1 + static_cast<int>(random() % 60);
  axis.count = 1 + static_cast<int>(random() % axis.to);
  axis.first = static_cast<int>(random() % (axis.to - axis.count + 1));
  return axis;
}

// Crops of any place too. OpenCV's bytes are within one level of the exact value, TensorFlow's floats within 1e-5 of
// 255.
TEST_F(BilinearTest, NearThePlainTwin) {
  std::mt19937 random(1);
  for (int i = 0; i < 600; ++i) {
    const Placement placement{RandomAxis(random), RandomAxis(random)};
    const Pixels src = Golden(i % 4 < 2 ? "noise" : "extremes", placement.x.from, placement.y.from, i % 2 == 0 ? 1 : 3);
    const std::vector<uint8_t> bytes = Resample(cv2_, src, placement);
    const std::vector<float> levels = Resample(tf2_, src, placement);
    for (size_t v = 0; v < bytes.size(); ++v) {
      const int c = static_cast<int>(v) % src.channels, pixel = static_cast<int>(v) / src.channels;
      const double exact = PlainLevel(src, placement, pixel % placement.x.count, pixel / placement.x.count, c);
      ASSERT_NEAR(levels[v], exact, 255e-5) << "case " << i << ", value " << v;
      ASSERT_NEAR(bytes[v], exact, 1) << "case " << i << ", value " << v;
    }
  }
}

// A crop is a part of the whole, to the last bit.
TEST_F(BilinearTest, ACropIsAPartOfTheWhole) {
  const Pixels src = Golden("noise", 97, 61, 3);
  const Placement whole = Whole(src, 150, 40), crop{{97, 150, 31, 77}, {61, 40, 9, 30}};
  const auto check = [&](auto& resampler) {
    const auto all = Resample(resampler, src, whole), part = Resample(resampler, src, crop);
    for (size_t y = 0; y < 30; ++y) {
      const auto row = all.begin() + static_cast<ptrdiff_t>((y + 9) * 150 + 31) * 3;
      EXPECT_TRUE(std::equal(row, row + 77 * 3, part.begin() + static_cast<ptrdiff_t>(y) * 77 * 3)) << y;
    }
  };
  check(cv2_);
  check(tf2_);
}

// A tall narrow photo scaled by its shorter side would be 256 x 16,768,000; only the crop is ever computed. At the most
// that a recipe may say, it would be 65,535 x 4,292,542,500.
TEST_F(BilinearTest, HugeScaledImagesAreNotBuilt) {
  for (const int resize_size : {1, 256, 65535}) {
    Recipe recipe;
    recipe.resize_size = resize_size;
    for (const auto& [width, height] : {std::pair(1, 65500), std::pair(65500, 1), std::pair(1, 1)}) {
      const Placement placement = *Place(recipe, width, height);
      const size_t values = size_t{3} * placement.x.count * placement.y.count;
      const Pixels src{width, height, 3, std::vector<uint8_t>(size_t{3} * width * height, 77)};
      EXPECT_EQ(Resample(cv2_, src, placement), std::vector<uint8_t>(values, 77)) << resize_size;
      EXPECT_EQ(Resample(tf2_, src, placement), std::vector<float>(values, 77)) << resize_size;
    }
  }
}

}  // namespace
}  // namespace resnetd::image
