// Recipes as values: names, checks, text.
#include "engine/image/recipe.h"

#include <functional>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace resnetd::image {
namespace {

using ::testing::HasSubstr;

TEST(RecipeTest, Presets) {
  const std::pair<const char*, const char*> cases[] = {
      {"torchvision-v1",
       "shorter side 256, bilinear, crop 224x224, RGB, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"},
      {"torchvision-v2",
       "shorter side 232, bilinear, crop 224x224, RGB, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"},
      {"mnist", "resize to 28x28, bilinear, grey, mean 0.1307, std 0.3081"},
      {"cifar10", "resize to 32x32, bilinear, RGB, mean 0.4914 0.4822 0.4465, std 0.2023 0.1994 0.201"},
  };
  for (const auto& [name, text] : cases) {
    const auto recipe = FindPreset(name);
    ASSERT_TRUE(recipe.ok()) << name;
    EXPECT_TRUE(Validate(*recipe).ok()) << name;
    EXPECT_EQ(ToString(*recipe), text);
  }
}

TEST(RecipeTest, AnUnknownNameIsAnsweredWithTheKnown) {
  for (const char* name : {"", "torchvision", "MNIST"}) {
    const absl::Status status = FindPreset(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("torchvision-v1, torchvision-v2, mnist, cifar10")) << name;
  }
}

TEST(RecipeTest, DefaultIsTheFirstPreset) {
  EXPECT_EQ(ToString(Recipe()), ToString(*FindPreset("torchvision-v1")));
}

TEST(RecipeTest, TextOfTheOtherKinds) {
  Recipe recipe;
  recipe.resize = Resize::kNone;
  recipe.colour = Colour::kBgr;
  recipe.width = 320;
  EXPECT_EQ(ToString(recipe), "no resize, 320x224, BGR, mean 0.485 0.456 0.406, std 0.229 0.224 0.225");
  recipe.resize = Resize::kExact;
  recipe.interpolation = Interpolation::kNearest;
  EXPECT_THAT(ToString(recipe), HasSubstr("resize to 320x224, nearest"));
  recipe.resize = Resize::kShorterSide;
  recipe.interpolation = Interpolation::kBicubic;
  EXPECT_THAT(ToString(recipe), HasSubstr("shorter side 256, bicubic, crop 320x224, BGR"));
  recipe.crop_offset = CropOffset::kDown;
  EXPECT_THAT(ToString(recipe), HasSubstr("crop 320x224, odd margins rounded down, BGR"));
}

TEST(RecipeTest, ChecksNameTheField) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  struct Case {
    const char* name;
    std::function<void(Recipe&)> change;
    const char* error;  // null: valid
  };
  const Case cases[] = {
      {"no height", [](Recipe& r) { r.height = 0; }, "recipe.height: expected 1 to 16384, got 0"},
      {"lowest height", [](Recipe& r) { r.height = 1; }, nullptr},
      {"negative width", [](Recipe& r) { r.width = -224; }, "recipe.width: expected 1 to 16384, got -224"},
      {"largest width", [](Recipe& r) { r.width = 16384, r.resize = Resize::kExact; }, nullptr},
      {"too wide", [](Recipe& r) { r.width = 16385; }, "recipe.width: expected 1 to 16384, got 16385"},
      {"crop larger than image", [](Recipe& r) { r.resize_size = 223; },
       "recipe.resize_size: expected 224 to 65535, got 223"},
      {"crop larger in one side", [](Recipe& r) { r.width = 257; },
       "recipe.resize_size: expected 257 to 65535, got 256"},
      {"crop as large as image", [](Recipe& r) { r.resize_size = 224; }, nullptr},
      {"largest image", [](Recipe& r) { r.resize_size = 65535; }, nullptr},
      {"image too large", [](Recipe& r) { r.resize_size = 65536; },
       "recipe.resize_size: expected 224 to 65535, got 65536"},
      {"resize_size where it says nothing", [](Recipe& r) { r.resize = Resize::kExact, r.resize_size = 0; }, nullptr},
      {"mean is no number", [](Recipe& r) { r.mean[1] = kNan; }, "recipe.mean[1]: expected a finite number, got nan"},
      {"std is zero", [](Recipe& r) { r.std[2] = 0; }, "recipe.std[2]: expected a finite number above 0, got 0"},
      {"std is negative", [](Recipe& r) { r.std[0] = -1; }, "recipe.std[0]: expected a finite number above 0, got -1"},
      {"std is infinite", [](Recipe& r) { r.std[0] = kInfinity; }, "recipe.std[0]: expected a finite number above 0"},
      {"a channel that is not there", [](Recipe& r) { r.colour = Colour::kGrey, r.std[1] = 0; }, nullptr},
  };
  for (const Case& c : cases) {
    Recipe recipe;
    c.change(recipe);
    const absl::Status status = Validate(recipe);
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
