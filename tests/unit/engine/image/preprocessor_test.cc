// Tests the way from a file or pixels to the network's input.
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <png.h>

#include "absl/strings/str_cat.h"

#include "engine/image/decode/colour.h"
#include "engine/image/image.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_golden.h"

namespace resnetd::image {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Ne;

struct Tensor {
  explicit Tensor(const Recipe& recipe)
      : values(size_t{1} * recipe.channels() * recipe.height * recipe.width),
        view{values.data(),
             recipe.height,
             recipe.width,
             recipe.channels(),
             recipe.width,
             1,
             ptrdiff_t{1} * recipe.height * recipe.width} {}
  std::vector<float> values;  // NCHW
  TensorView view;
};

std::string Png(const std::vector<uint8_t>& rgb, int width, int height) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = PNG_FORMAT_RGB;
  std::string file(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = file.size();
  EXPECT_TRUE(png_image_write_to_memory(&image, file.data(), &size, 0, rgb.data(), 0, nullptr)) << image.message;
  file.resize(size);
  return file;
}

TEST(PreprocessorTest, InputIsWhatPillowAndTorchvisionMake) {
  Preprocessor preprocessor;  // one for all: nothing of one image may show in the next
  for (std::istringstream& line : ReadGoldenTable("recipe.txt")) {
    std::string kind, preset, crc;
    int width = 0, height = 0, resize_size = 0;
    line >> kind >> width >> height >> preset >> resize_size >> crc;
    Recipe recipe = *FindPreset(preset);
    if (resize_size != 0) recipe.resize_size = resize_size;
    const std::vector<uint8_t> pixels = GoldenPixels(kind, width, height, 3);
    Tensor tensor(recipe);
    const absl::Status status = preprocessor.FromFile(AsBytes(Png(pixels, width, height)), recipe, tensor.view);
    ASSERT_TRUE(status.ok()) << line.str() << ": " << status;
    EXPECT_EQ(Crc(AsBytes(tensor.values)), crc) << line.str();
  }
}

TEST(PreprocessorTest, InputIsWhatKerasMakes) {
  Preprocessor preprocessor;
  for (std::istringstream& line : ReadGoldenTable("keras.txt")) {
    std::string kind, preset, crc;
    int width = 0, height = 0;
    line >> kind >> width >> height >> preset >> crc;
    const Recipe recipe = *FindPreset(preset);
    const std::vector<uint8_t> pixels = GoldenPixels(kind, width, height, 3);
    Tensor tensor(recipe);
    const absl::Status status = preprocessor.FromFile(AsBytes(Png(pixels, width, height)), recipe, tensor.view);
    ASSERT_TRUE(status.ok()) << line.str() << ": " << status;
    EXPECT_EQ(Crc(AsBytes(tensor.values)), crc) << line.str();
  }
}

// A level between two bytes, as it comes out of the resize, is normalised as it is: it is never a byte.
TEST(PreprocessorTest, LevelsThatAreNotRoundedAreNormalised) {
  const int width = 41, height = 37;
  const std::vector<uint8_t> rgb = GoldenPixels("noise", width, height, 3);
  for (const Colour colour : {Colour::kRgb, Colour::kBgr, Colour::kGrey}) {
    for (const int resize_size : {20, 40}) {  // with black around, and without
      Recipe recipe = FitToInput(*FindPreset("torchvision-v1"), 24, 32);
      recipe.resize_size = resize_size;
      recipe.interpolation = Interpolation::kBilinearTf2;
      recipe.colour = colour;
      recipe.mean = {0.5f, 0.25f, 0.125f, 0};
      recipe.std = {0.5f, 2, 4, 1};
      Recipe plain = recipe;
      plain.scale = 1;
      plain.mean = {0, 0, 0, 0};
      plain.std = {1, 1, 1, 1};
      Tensor tensor(recipe), levels(recipe);
      const std::string file = Png(rgb, width, height);
      Preprocessor preprocessor;
      ASSERT_TRUE(preprocessor.FromFile(AsBytes(file), recipe, tensor.view).ok());
      ASSERT_TRUE(preprocessor.FromFile(AsBytes(file), plain, levels.view).ok());
      int between = 0;
      for (size_t i = 0; i < levels.values.size(); ++i) {
        const float level = levels.values[i];
        const size_t c = i / (24 * 32);
        EXPECT_EQ(tensor.values[i], (static_cast<float>(level * recipe.scale) - recipe.mean[c]) / recipe.std[c]) << i;
        between += level != std::floor(level) ? 1 : 0;
      }
      EXPECT_GT(between, 300) << ToString(recipe);
    }
  }
}

TEST(PreprocessorTest, PixelsAreTreatedAsAFileOfThemIs) {
  Preprocessor preprocessor;
  const std::vector<uint8_t> rgb = GoldenPixels("noise", 50, 40, 3);
  std::vector<uint8_t> bgr = rgb, grey(rgb.size() / 3);
  for (size_t i = 0; i < bgr.size(); i += 3) std::swap(bgr[i], bgr[i + 2]);
  RgbToGrey(rgb.data(), 50 * 40, grey.data());
  const std::tuple<const char*, Colour, const std::vector<uint8_t>&> cases[] = {
      {"RGB", Colour::kRgb, rgb}, {"BGR", Colour::kBgr, bgr}, {"grey", Colour::kGrey, grey}};
  for (const auto& [name, colour, pixels] : cases) {
    for (const Interpolation interpolation :
         {Interpolation::kBilinear, Interpolation::kBilinearCv2, Interpolation::kBilinearTf2}) {
      Recipe recipe;
      recipe.colour = colour;
      recipe.interpolation = interpolation;
      Tensor from_file(recipe), from_pixels(recipe);
      EXPECT_TRUE(preprocessor.FromFile(AsBytes(Png(rgb, 50, 40)), recipe, from_file.view).ok()) << name;
      EXPECT_TRUE(preprocessor.FromPixels({pixels.data(), 40, 50, recipe.channels()}, recipe, from_pixels.view).ok());
      EXPECT_EQ(from_file.values, from_pixels.values) << name << ", " << ToString(recipe);
    }
  }
}

TEST(PreprocessorTest, PlanesAreTreatedAsInterleavedPixelsAre) {
  Preprocessor preprocessor;
  for (const auto& [width, height] : {std::pair(50, 40), std::pair(32, 32)}) {  // resized, and only normalised
    const size_t plane = size_t{1} * width * height;
    const std::vector<uint8_t> rgb = GoldenPixels("noise", width, height, 3);
    std::vector<uint8_t> planes(rgb.size());
    for (size_t i = 0; i < rgb.size(); ++i) planes[i % 3 * plane + i / 3] = rgb[i];
    const Recipe recipe = *FindPreset("cifar10");
    Tensor interleaved(recipe), planar(recipe);
    EXPECT_TRUE(preprocessor.FromPixels({rgb.data(), height, width, 3}, recipe, interleaved.view).ok());
    EXPECT_TRUE(preprocessor.FromPixels({planes.data(), height, width, 3, true}, recipe, planar.view).ok());
    EXPECT_EQ(interleaved.values, planar.values) << width;
  }
}

TEST(PreprocessorTest, PixelsOfTheInputsSizeAreOnlyNormalised) {
  Preprocessor preprocessor;
  Recipe recipe;
  recipe.height = 3;
  recipe.width = 2;
  recipe.mean = {0.5f, 0.25f, 0.125f, 0};
  recipe.std = {0.5f, 2, 4, 1};
  const std::vector<uint8_t> pixels = GoldenPixels("noise", 2, 3, 3);
  for (const Resize resize : {Resize::kNone, Resize::kShorterSide, Resize::kExact, Resize::kSquash}) {
    recipe.resize = resize;
    Tensor tensor(recipe);
    ASSERT_TRUE(preprocessor.FromPixels({pixels.data(), 3, 2, 3}, recipe, tensor.view).ok());
    for (int i = 0; i < 18; ++i) {
      const int c = i / 6, pixel = i % 6;
      const float wanted = (static_cast<float>(pixels[pixel * 3 + c]) / 255.0f - recipe.mean[c]) / recipe.std[c];
      EXPECT_EQ(tensor.values[i], wanted) << i;
    }
  }
}

// torchvision's ToTensor divides by 255 in float; other scales are whatever the recipe says.
TEST(PreprocessorTest, ScaleComesBeforeMeanAndDeviation) {
  std::vector<uint8_t> pixels(256);
  std::iota(pixels.begin(), pixels.end(), 0);
  Recipe recipe = *FindPreset("none");
  recipe.colour = Colour::kGrey;
  recipe.height = recipe.width = 16;
  const auto expect = [&](auto wanted) {
    Tensor tensor(recipe);
    ASSERT_TRUE(Preprocessor().FromPixels({pixels.data(), 16, 16, 1}, recipe, tensor.view).ok());
    for (int i = 0; i < 256; ++i) EXPECT_EQ(tensor.values[i], wanted(static_cast<float>(i))) << ToString(recipe);
  };
  expect([](float byte) { return byte; });
  recipe.scale = Recipe().scale;
  expect([](float byte) { return byte / 255.0f; });
  recipe.scale = 2;
  recipe.mean[0] = 255;
  recipe.std[0] = 4;
  expect([](float byte) { return (byte * 2 - 255) / 4; });
}

// The crop is the larger here. Golden inputs have torchvision's behaviour; Hugging Face rounds up.
TEST(PreprocessorTest, BlackSurroundsWhatIsSmallerThanTheCrop) {
  const std::vector<uint8_t> pixels(size_t{8} * 5 * 3, 255);
  Recipe recipe;
  recipe.height = recipe.width = 8;
  recipe.resize_size = 5;
  for (const auto& [offset, top] : {std::pair(CropOffset::kHalfToEven, 1), std::pair(CropOffset::kDown, 2)}) {
    recipe.crop_offset = offset;
    Tensor tensor(recipe);
    ASSERT_TRUE(Preprocessor().FromPixels({pixels.data(), 5, 8, 3}, recipe, tensor.view).ok());
    for (int i = 0; i < 8 * 8 * 3; ++i) {
      const int c = i / 64, y = i % 64 / 8;
      const float pixel = y >= top && y < top + 5 ? 1 : 0;
      EXPECT_EQ(tensor.values[i], (pixel - recipe.mean[c]) / recipe.std[c]) << top << ", " << i;
    }
  }
}

// Channels that are no colours come as tensors only.
TEST(PreprocessorTest, TwoAndFourChannels) {
  const std::string file = ReadGoldenFile("420.jpg");
  for (const auto& [colour, channels] : {std::pair(Colour::kTwoChannels, 2), std::pair(Colour::kFourChannels, 4)}) {
    Recipe recipe = *FindPreset("none");
    recipe.colour = colour;
    recipe.height = 3;
    recipe.width = 2;
    recipe.std = {1, 2, 4, 8};
    const std::vector<uint8_t> pixels = GoldenPixels("noise", 2, 3, channels);
    Tensor tensor(recipe);
    ASSERT_TRUE(Preprocessor().FromPixels({pixels.data(), 3, 2, channels}, recipe, tensor.view).ok());
    for (int i = 0; i < 6 * channels; ++i) {
      const int c = i / 6, pixel = i % 6;
      EXPECT_EQ(tensor.values[i], static_cast<float>(pixels[pixel * channels + c]) / recipe.std[c]) << i;
    }
    for (const absl::Status& status :
         {Preprocessor().FromFile(AsBytes(file), recipe, tensor.view),
          Preprocessor().FromFile(AsBytes(file), Sniff(AsBytes(file), {}).value(), recipe, tensor.view)}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(status.message()),
                  HasSubstr(absl::StrCat("the model's input has ", channels, " channels: expected a tensor")));
    }
  }
}

TEST(PreprocessorTest, AHeaderThatWasReadBeforeGivesTheSame) {
  for (const char* name : {"420.jpg", "palette8.png", "lossy.webp"}) {
    const std::string file = ReadGoldenFile(name);
    const absl::StatusOr<Header> header = Sniff(AsBytes(file), {});
    ASSERT_TRUE(header.ok()) << header.status();
    const Recipe recipe = *FindPreset("cifar10");
    Tensor sniffed(recipe), given(recipe);
    ASSERT_TRUE(Preprocessor().FromFile(AsBytes(file), recipe, sniffed.view).ok());
    ASSERT_TRUE(Preprocessor().FromFile(AsBytes(file), *header, recipe, given.view).ok());
    EXPECT_EQ(given.values, sniffed.values) << name;
  }
}

TEST(PreprocessorTest, AnyStridesAndNothingBetweenThem) {
  constexpr float kUntouched = -1234;
  const std::string file = ReadGoldenFile("420.jpg");
  Preprocessor preprocessor;
  Recipe recipe = *FindPreset("cifar10");
  recipe.width = 20;
  Tensor packed(recipe);
  ASSERT_TRUE(preprocessor.FromFile(AsBytes(file), recipe, packed.view).ok());
  struct Case {
    const char* name;
    ptrdiff_t row, pixel, channel;
  };
  for (const Case& c : {Case{"NHWC", 60, 3, 1}, Case{"four channels a pixel, rows of 24 pixels", 96, 4, 1},
                        Case{"planes with a border", 22, 1, 1000}, Case{"columns first", 1, 32, 640}}) {
    std::vector<float> values(4000, kUntouched);
    const TensorView view{values.data() + 100, recipe.height, recipe.width, 3, c.row, c.pixel, c.channel};
    ASSERT_TRUE(preprocessor.FromFile(AsBytes(file), recipe, view).ok()) << c.name;
    for (int channel = 0, i = 0; channel < 3; ++channel) {
      for (int y = 0; y < recipe.height; ++y) {
        for (int x = 0; x < recipe.width; ++x, ++i) {
          float& value = view.data[y * c.row + x * c.pixel + channel * c.channel];
          ASSERT_EQ(value, packed.values[i]) << c.name << " " << channel << " " << y << " " << x;
          value = kUntouched;
        }
      }
    }
    EXPECT_THAT(values, Each(kUntouched)) << c.name;
  }
}

// One worker serves all models: each change of one field must show at the next image.
TEST(PreprocessorTest, RecipesMayAlternate) {
  const std::string file = ReadGoldenFile("420.jpg");
  std::vector<Recipe> recipes(14);
  recipes[1].mean[1] = 0.5f;
  recipes[2].std[2] = 0.5f;
  recipes[3].interpolation = Interpolation::kBicubic;
  recipes[4].resize_size = 232;
  recipes[5].resize = Resize::kExact;
  recipes[6].colour = Colour::kBgr;
  recipes[7].colour = Colour::kGrey;
  recipes[8].scale = 1;
  recipes[9].resize_size = 100;
  recipes[10].interpolation = Interpolation::kBilinearCv2;
  recipes[11].interpolation = Interpolation::kBilinearTf2;
  recipes[12] = recipes[11];
  recipes[12].colour = Colour::kBgr;
  recipes[13] = recipes[11];
  recipes[13].mean[1] = 0.5f;
  std::vector<std::vector<float>> alone;
  for (const Recipe& recipe : recipes) {
    Tensor tensor(recipe);
    ASSERT_TRUE(Preprocessor().FromFile(AsBytes(file), recipe, tensor.view).ok());
    EXPECT_THAT(alone, Each(Ne(tensor.values))) << ToString(recipe);
    alone.push_back(tensor.values);
  }
  Preprocessor preprocessor;
  for (size_t i = 0; i < recipes.size(); ++i) {
    for (size_t j = 0; j < recipes.size(); ++j) {
      for (const size_t k : {i, j}) {
        Tensor tensor(recipes[k]);
        ASSERT_TRUE(preprocessor.FromFile(AsBytes(file), recipes[k], tensor.view).ok());
        EXPECT_TRUE(tensor.values == alone[k]) << ToString(recipes[i]) << " then " << ToString(recipes[j]);
      }
    }
  }
}

std::string Changed(std::string file, size_t at, const std::string& bytes) {
  return file.replace(at, bytes.size(), bytes);
}

// A bad image is refused by name, and the next good one is not touched by it.
TEST(PreprocessorTest, BadFilesAreRefused) {
  using std::string_literals::operator""s;
  const std::string jpeg = ReadGoldenFile("420.jpg"), png = ReadGoldenFile("rgb8.png");
  const std::string progressive = ReadGoldenFile("progressive.jpg"), interlaced = ReadGoldenFile("rgb_interlaced.png");
  const size_t frame = jpeg.find("\xFF\xC0") + 5;  // height, then width
  struct Case {
    const char* name;
    std::string file, error;
  };
  const Case cases[] = {
      {"empty", "", "got no bytes"},
      {"text", "not an image", "expected a JPEG, PNG or WebP file, got 12 bytes"},
      {"half a JPEG", jpeg.substr(0, jpeg.size() / 2), "truncated JPEG file"},
      {"half a progressive JPEG", progressive.substr(0, progressive.size() / 2), "truncated JPEG file"},
      {"half a PNG", png.substr(0, png.size() / 2), "truncated PNG file"},
      {"half an interlaced PNG", interlaced.substr(0, interlaced.size() / 2), "truncated PNG file"},
      {"the last pixel missing, beneath the crop", png.substr(0, png.size() - 21), "truncated PNG file"},
      {"JPEG of 60000x60000", Changed(jpeg, frame, "\xEA\x60\xEA\x60"), "declares 60000x60000 pixels"},
      {"PNG of 60000x60000", Changed(png, 16, "\0\0\xEA\x60\0\0\xEA\x60"s), "declares 60000x60000 pixels"},
      {"JPEG without height", Changed(jpeg, frame, "\0\0"s), "declares 45x0 pixels"},
      {"PNG without width", Changed(png, 16, "\0\0\0\0"s), "declares 0x9 pixels"},
      {"PNG higher than its data", Changed(png, 16, "\0\0\0\x0D\0\0\0\x0A"s), "damaged PNG file"},
  };
  Preprocessor preprocessor;
  const Recipe recipe = *FindPreset("torchvision-v1");
  Tensor before(recipe), after(recipe);
  ASSERT_TRUE(preprocessor.FromFile(AsBytes(jpeg), recipe, before.view).ok());
  for (const Case& c : cases) {
    const absl::Status status = preprocessor.FromFile(AsBytes(c.file), recipe, after.view);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.error)) << c.name;
    ASSERT_TRUE(preprocessor.FromFile(AsBytes(jpeg), recipe, after.view).ok()) << c.name;
    EXPECT_EQ(before.values, after.values) << c.name;
  }
}

TEST(PreprocessorTest, LimitsHoldForFiles) {
  const std::string file = ReadGoldenFile("420.jpg");  // 45x37
  const Recipe recipe;
  Tensor tensor(recipe);
  const std::pair<Limits, bool> cases[] = {{{.max_pixels = 45 * 37, .max_side = 45}, true},
                                           {{.max_pixels = 45 * 37 - 1, .max_side = 45}, false},
                                           {{.max_pixels = 45 * 37, .max_side = 44}, false}};
  for (const auto& [limits, accepted] : cases) {
    const absl::Status status = Preprocessor(limits).FromFile(AsBytes(file), recipe, tensor.view);
    EXPECT_EQ(status.code(), accepted ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument)
        << limits.max_pixels << ", " << limits.max_side;
  }
}

TEST(PreprocessorTest, WrongArgumentsAreRefused) {
  Recipe no_resize = *FindPreset("cifar10");
  no_resize.resize = Resize::kNone;
  Tensor right(no_resize), grey(*FindPreset("mnist")), large(Recipe{});
  const std::vector<uint8_t> pixels(size_t{33} * 32 * 3);
  struct Case {
    const char* name;
    PixelView pixels;
    TensorView dst;
    const char* error;  // null: accepted
  };
  const Case cases[] = {
      {"the input's size", {pixels.data(), 32, 32, 3}, right.view, nullptr},
      {"wider", {pixels.data(), 32, 33, 3}, right.view, "expected an image of 32x32 pixels, got 33x32"},
      {"grey", {pixels.data(), 32, 32, 1}, right.view, "pixels: expected 3 channels, got 1"},
      {"with alpha", {pixels.data(), 16, 32, 4}, right.view, "pixels: expected 3 channels, got 4"},
      {"no pixels", {nullptr, 0, 32, 3}, right.view, "pixels: expected a size of at least 1x1, got 32x0"},
      {"a small dst",
       {pixels.data(), 32, 32, 3},
       grey.view,
       "dst: expected height, width, channels 32, 32, 3, got 28,"},
      {"a large dst",
       {pixels.data(), 32, 32, 3},
       large.view,
       "dst: expected height, width, channels 32, 32, 3, got 224,"},
  };
  for (const Case& c : cases) {
    const absl::Status status = Preprocessor().FromPixels(c.pixels, no_resize, c.dst);
    if (c.error == nullptr) {
      EXPECT_TRUE(status.ok()) << c.name << ": " << status;
    } else {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.name;
      EXPECT_THAT(std::string(status.message()), HasSubstr(c.error)) << c.name;
    }
  }
}

}  // namespace
}  // namespace resnetd::image
