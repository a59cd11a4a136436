// resnetctl preprocess: the pictures and tensors it writes.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <png.h>

#include "cli/cli.h"
#include "cli/inputs.h"
#include "cli/preprocess/input_picture.h"
#include "cli/print/npy.h"
#include "engine/image/image.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/source.h"
#include "nlohmann/json.hpp"
#include "tests/support/temp_folder.h"

namespace resnetd::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

struct Picture {
  int height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;
};

Picture ReadPng(const std::string& path) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_TRUE(png_image_begin_read_from_file(&image, path.c_str())) << image.message;
  Picture picture{static_cast<int>(image.height), static_cast<int>(image.width),
                  static_cast<int>(PNG_IMAGE_PIXEL_CHANNELS(image.format)),
                  std::vector<uint8_t>(PNG_IMAGE_SIZE(image))};
  EXPECT_TRUE(png_image_finish_read(&image, nullptr, picture.pixels.data(), 0, nullptr)) << image.message;
  return picture;
}

std::vector<float> ReadNpy(const std::string& path, std::vector<size_t> shape) {
  const std::string file = *ReadImageFile(path), header = NpyHeader(shape);
  EXPECT_EQ(file.substr(0, header.size()), header);
  std::vector<float> values((file.size() - header.size()) / sizeof(float));
  std::memcpy(values.data(), file.data() + header.size(), values.size() * sizeof(float));
  return values;
}

struct Result {
  int status;
  std::string out, err;
};

Result RunCli(const std::vector<std::string>& args) {
  std::ostringstream out, err;
  const int status = Run(args, out, err, false);
  return {status, out.str(), err.str()};
}

// Every byte comes back, whatever the recipe does to it.
TEST(InputPictureTest, EveryByteOfEveryRecipe) {
  std::vector<image::Recipe> recipes;
  for (const char* preset : {"torchvision-v1", "mnist", "cifar10", "keras-caffe", "keras-tf", "none"}) {
    recipes.push_back(*image::FindPreset(preset));
  }
  recipes.push_back(recipes[0]);
  recipes.back().colour = image::Colour::kBgr;
  recipes.push_back(recipes[0]);
  recipes.back().mean = {100, -3, 0, 0};
  recipes.back().std = {0.001f, 57, 1000, 1};
  for (image::Recipe recipe : recipes) {
    SCOPED_TRACE(image::ToString(recipe));
    recipe.height = recipe.width = 16;
    const size_t channels = static_cast<size_t>(recipe.channels());
    std::vector<uint8_t> pixels(256 * channels);  // in the recipe's order of colours
    for (size_t i = 0; i < 256; ++i) {
      for (size_t c = 0; c < channels; ++c) pixels[i * channels + c] = static_cast<uint8_t>(i + 40 * c);
    }
    std::vector<float> values(pixels.size());
    ASSERT_TRUE(image::Preprocessor()
                    .FromPixels({pixels.data(), 16, 16, recipe.channels()}, recipe,
                                {values.data(), 16, 16, recipe.channels(), 16, 1, 256})
                    .ok());
    const std::vector<uint8_t> picture = PictureOfInput(values, recipe);
    for (size_t i = 0; i < 256; ++i) {
      for (size_t c = 0; c < channels; ++c) {
        const size_t colour = recipe.colour == image::Colour::kBgr ? 2 - c : c;
        ASSERT_EQ(picture[i * channels + colour], pixels[i * channels + c]) << i << " " << c;
      }
    }
  }
}

TEST(InputPictureTest, FilesThatCannotBeWritten) {
  const TempFolder folder;
  const std::vector<uint8_t> pixels(4);
  const absl::Status status = WritePng(folder / "missing/a.png", pixels, 2, 2, 1);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("missing/a.png"));
}

// A flat image stays flat however it is resized, so its values are known.
TEST(PreprocessTest, APresetsPictureAndTensor) {
  const TempFolder folder;
  std::vector<uint8_t> pixels(300 * 200 * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(10 + 20 * (i % 3));
  ASSERT_TRUE(WritePng(folder / "flat.png", pixels, 200, 300, 3).ok());
  const Result result =
      RunCli({"preprocess", folder / "flat.png", "--recipe", "torchvision-v1", "--out", folder / "seen", "--json"});
  ASSERT_EQ(result.status, 0) << result.err;

  const Picture picture = ReadPng(folder / "seen.png");
  EXPECT_EQ(picture.height, 224);
  EXPECT_EQ(picture.width, 224);
  ASSERT_EQ(picture.channels, 3);
  for (size_t i = 0; i < picture.pixels.size(); ++i) ASSERT_EQ(picture.pixels[i], 10 + 20 * (i % 3)) << i;
  const std::vector<float> values = ReadNpy(folder / "seen.npy", {1, 3, 224, 224});
  ASSERT_EQ(values.size(), 3u * 224 * 224);
  const float mean[] = {0.485f, 0.456f, 0.406f}, std[] = {0.229f, 0.224f, 0.225f};
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t c = i / (224 * 224);
    ASSERT_NEAR(values[i], (static_cast<float>(10 + 20 * c) / 255 - mean[c]) / std[c], 1e-6) << i;
  }

  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["width"], 300);
  EXPECT_EQ(json["height"], 200);
  EXPECT_THAT(json["recipe"].get<std::string>(), HasSubstr("shorter side 256, bilinear, crop 224x224"));
  EXPECT_EQ(json["recipe_id"], "torchvision-v1");
  EXPECT_EQ(json["recipe_hash"].get<std::string>().size(), 16u);
  EXPECT_EQ(json["shape"], nlohmann::json({1, 3, 224, 224}));
  ASSERT_EQ(json["channels"].size(), 3u);
  EXPECT_NEAR(json["channels"][1]["mean"].get<double>(), values[224 * 224], 1e-6);
  EXPECT_EQ(json["channels"][1]["min"].get<float>(), values[224 * 224]);
  EXPECT_EQ(json["png"], folder / "seen.png");
  EXPECT_EQ(json["npy"], folder / "seen.npy");
}

TEST(PreprocessTest, AModelsOwnRecipe) {
  const TempFolder folder;
  const ModelSource embedded = EmbeddedSource();
  folder.Write("1/model.onnx", embedded.read("model.onnx", 1 << 26).value());
  folder.Write("1/config.textproto", "preprocessing { preset: 'mnist' resize: NONE mean: 0 std: 0.5 }");
  std::vector<uint8_t> pixels(28 * 28);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 7);
  ASSERT_TRUE(WritePng(folder / "small.png", pixels, 28, 28, 1).ok());
  struct Case {
    const char* name;
    std::vector<std::string> args;
    float mean, std;
  };
  for (const Case& c :
       {Case{"in the program", {}, 0.2860f, 0.3530f}, Case{"of a folder", {"--model", folder.path()}, 0, 0.5f},
        Case{"a preset", {"--recipe", "mnist"}, 0.1307f, 0.3081f}}) {
    SCOPED_TRACE(c.name);
    std::vector<std::string> args = {"preprocess", folder / "small.png", "--out", folder / "seen"};
    args.insert(args.end(), c.args.begin(), c.args.end());
    const Result result = RunCli(args);
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("small.png, 28x28\n"));
    EXPECT_THAT(result.out, HasSubstr("seen.npy, 1x1x28x28\n"));
    EXPECT_EQ(ReadPng(folder / "seen.png").pixels, pixels);
    const std::vector<float> values = ReadNpy(folder / "seen.npy", {1, 1, 28, 28});
    for (size_t i = 0; i < pixels.size(); ++i) {
      ASSERT_NEAR(values[i], (static_cast<float>(pixels[i]) / 255 - c.mean) / c.std, 1e-6) << i;
    }
  }
}

TEST(PreprocessTest, Mistakes) {
  const TempFolder folder;
  ASSERT_TRUE(WritePng(folder / "a.png", std::vector<uint8_t>(4), 2, 2, 1).ok());
  const std::string before = *ReadImageFile(folder / "a.png");
  folder.Write("text.png", "text");
  const std::string out = folder / "out";
  struct Case {
    std::vector<std::string> args;
    int status;
    const char* says;
  };
  for (const Case& c : {
           Case{{}, 2, "image is required"},
           Case{{folder / "a.png", "--recipe", "unknown", "--out", out}, 1, "--recipe: no recipe is called 'unknown'"},
           Case{{folder / "a.png", "--model", folder / "nobody", "--out", out}, 1, "nobody"},
           Case{{folder / "missing.png", "--recipe", "mnist", "--out", out}, 1, "missing.png"},
           Case{{folder / "text.png", "--recipe", "mnist", "--out", out}, 1, "got 4 bytes"},
           Case{{folder / "a.png", "--recipe", "mnist", "--out", folder / "missing/out"}, 1, "missing/out.png"},
           Case{{folder / "a.png", "--recipe", "mnist", "--out", folder / "a"}, 1, "--out: expected another file"},
       }) {
    std::vector<std::string> args = c.args;
    args.insert(args.begin(), "preprocess");
    const Result result = RunCli(args);
    EXPECT_EQ(result.status, c.status) << c.says;
    EXPECT_THAT(result.err, HasSubstr(c.says));
    EXPECT_FALSE(fs::exists(out + ".png")) << c.says;
    EXPECT_FALSE(fs::exists(out + ".npy")) << c.says;
  }
  EXPECT_EQ(*ReadImageFile(folder / "a.png"), before);
}

// The limit is the program's own. At it, the image is read, and has no pixels here.
TEST(PreprocessTest, TooManyPixels) {
  const TempFolder folder;
  const auto run = [&](const std::string& size) {
    folder.Write("large.png", "\x89PNG\r\n\x1A\n" + std::string("\0\0\0\x0DIHDR", 8) + size);
    return RunCli({"preprocess", folder / "large.png", "--recipe", "mnist", "--out", folder / "out"});
  };
  const Result above = run(std::string("\0\0\x27\x10\0\0\x13\x89", 8)),
               at = run(std::string("\0\0\x27\x10\0\0\x13\x88", 8));
  EXPECT_EQ(above.status, 1);
  EXPECT_THAT(above.err, HasSubstr("10000x5001 pixels, expected at most 50000000 in all (resnetctl has no option for "
                                   "more; the server's is --max-image-pixels)"));
  EXPECT_EQ(at.status, 1);
  EXPECT_THAT(at.err, HasSubstr("truncated PNG file"));
}

TEST(PreprocessTest, WritesToTheCurrentFolderByDefault) {
  const TempFolder folder;
  ASSERT_TRUE(WritePng(folder / "photo.png", std::vector<uint8_t>(4), 2, 2, 1).ok());
  fs::create_directories(folder / "here");
  const fs::path before = fs::current_path();
  fs::current_path(folder / "here");
  const Result result = RunCli({"preprocess", "../photo.png", "--recipe", "mnist"});
  fs::current_path(before);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(fs::exists(folder / "here/photo-preprocessed.png"));
  EXPECT_TRUE(fs::exists(folder / "here/photo-preprocessed.npy"));
}

}  // namespace
}  // namespace resnetd::cli
