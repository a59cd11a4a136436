// Recipes as values: names, checks, text.
#include "engine/image/recipe.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <set>
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace resnetd::image {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RecipeTest, Presets) {
  const std::pair<const char*, const char*> cases[] = {
      {"torchvision-v1",
       "shorter side 256, bilinear, crop 224x224, RGB, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"},
      {"torchvision-v2",
       "shorter side 232, bilinear, crop 224x224, RGB, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"},
      {"mnist", "resize to 28x28, bilinear, grey, mean 0.1307, std 0.3081"},
      {"cifar10", "resize to 32x32, bilinear, RGB, mean 0.4914 0.4822 0.4465, std 0.2023 0.1994 0.201"},
      {"timm", "shorter side 256, bicubic, crop 224x224, RGB, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"},
      {"keras-caffe", "resize to 224x224, nearest, BGR, times 1, mean 103.939 116.779 123.68, std 1 1 1"},
      {"keras-tf", "resize to 224x224, nearest, RGB, times 0.00784314, mean 1 1 1, std 1 1 1"},
      {"keras-torch", "resize to 224x224, nearest, RGB, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"},
      {"none", "no resize, 224x224, RGB, times 1, mean 0 0 0, std 1 1 1"},
  };
  for (const auto& [name, text] : cases) {
    const auto recipe = FindPreset(name);
    ASSERT_TRUE(recipe.ok()) << name;
    EXPECT_TRUE(Validate(*recipe).ok()) << name;
    EXPECT_EQ(ToString(*recipe), text);
    EXPECT_EQ(NameOf(*recipe), name);
    EXPECT_EQ(NameOf(FitToInput(*recipe, 96, 64)), name);
  }
}

// As "none" has nothing to say of any channel, it is the same for all numbers of them.
TEST(RecipeTest, NamesByChannels) {
  const std::tuple<const char*, Colour, const char*> cases[] = {
      {"none", Colour::kGrey, "none"},  {"none", Colour::kTwoChannels, "none"}, {"none", Colour::kFourChannels, "none"},
      {"none", Colour::kBgr, "custom"}, {"cifar10", Colour::kGrey, "custom"},   {"mnist", Colour::kRgb, "custom"},
  };
  for (const auto& [preset, colour, name] : cases) {
    Recipe recipe = *FindPreset(preset);
    recipe.colour = colour;
    EXPECT_EQ(NameOf(recipe), name) << ToString(recipe);
  }
}

TEST(RecipeTest, FittedToAnotherInput) {
  const std::tuple<int, int, int> cases[] = {{224, 224, 232}, {448, 448, 464}, {32, 32, 33},
                                             {100, 224, 232}, {112, 100, 116}, {1, 1, 1}};
  for (const auto& [height, width, resize_size] : cases) {
    const Recipe fitted = FitToInput(*FindPreset("torchvision-v2"), height, width);
    EXPECT_EQ(fitted.height, height);
    EXPECT_EQ(fitted.width, width);
    EXPECT_EQ(fitted.resize_size, resize_size) << height << "x" << width;
    EXPECT_EQ(std::max(fitted.resize_height, fitted.resize_width), resize_size) << height << "x" << width;
  }
}

// Clients' stored vectors depend on these texts: none may ever change.
TEST(RecipeTest, CanonicalTextStaysWhatItWas) {
  EXPECT_EQ(CanonicalText(Recipe()),
            "resize 1 height 224 width 224 colour 0 interpolation 1 side 256 offset 0 channel 0x1.f0a3d8p-2 "
            "0x1.d4fdf4p-3 channel 0x1.d2f1aap-2 0x1.cac084p-3 channel 0x1.9fbe76p-2 0x1.ccccccp-3");
  Recipe recipe = *FindPreset("none");
  EXPECT_EQ(CanonicalText(recipe),
            "resize 0 height 224 width 224 colour 0 channel 0x0p+0 0x1p+0 channel 0x0p+0 0x1p+0 channel 0x0p+0 0x1p+0 "
            "scale 0x1p+0");
  recipe.colour = Colour::kTwoChannels;
  recipe.alpha = Alpha::kBlack;
  recipe.orientation = Orientation::kApply;
  EXPECT_EQ(CanonicalText(recipe),
            "resize 0 height 224 width 224 colour 3 channel 0x0p+0 0x1p+0 channel 0x0p+0 0x1p+0 alpha 1 orientation 1 "
            "scale 0x1p+0");
  recipe = *FindPreset("mnist");
  recipe.dct_scaling = true;
  EXPECT_EQ(CanonicalText(recipe),
            "resize 2 height 28 width 28 colour 2 interpolation 1 channel 0x1.0bac72p-3 0x1.3b7e9p-2 dct_scaling");
  recipe.resize = Resize::kNone;  // without effect then
  EXPECT_THAT(CanonicalText(recipe), Not(HasSubstr("dct_scaling")));
  recipe = *FindPreset("mnist");
  recipe.resize = Resize::kSquash;
  recipe.resize_height = 30;
  recipe.resize_width = 32;
  recipe.interpolation = Interpolation::kBilinearCv2;
  EXPECT_EQ(CanonicalText(recipe),
            "resize 3 height 28 width 28 colour 2 interpolation 3 sides 30 32 offset 0 channel 0x1.0bac72p-3 "
            "0x1.3b7e9p-2");
  recipe.interpolation = Interpolation::kBilinearTf2;
  recipe.resize_height = recipe.resize_width = 28;  // nothing is cut: the same as an exact resize
  EXPECT_EQ(CanonicalText(recipe),
            "resize 2 height 28 width 28 colour 2 interpolation 4 channel 0x1.0bac72p-3 0x1.3b7e9p-2");
}

// Each field shows in the text, and so in the name.
TEST(RecipeTest, EveryChangeMakesAnotherRecipe) {
  const std::function<void(Recipe&)> changes[] = {
      [](Recipe& r) { r.resize = Resize::kExact; },
      [](Recipe& r) { r.resize_size = 255; },
      [](Recipe& r) { r.height = 223; },
      [](Recipe& r) { r.width = 223; },
      [](Recipe& r) { r.interpolation = Interpolation::kNearest; },
      [](Recipe& r) { r.interpolation = Interpolation::kBilinearCv2; },
      [](Recipe& r) { r.interpolation = Interpolation::kBilinearTf2; },
      [](Recipe& r) { r.resize = Resize::kSquash; },
      [](Recipe& r) { r.resize = Resize::kSquash, r.resize_height = 230; },
      [](Recipe& r) { r.resize = Resize::kSquash, r.resize_width = 230; },
      [](Recipe& r) { r.resize = Resize::kSquash, r.crop_offset = CropOffset::kDown; },
      [](Recipe& r) { r.colour = Colour::kBgr; },
      [](Recipe& r) { r.mean[2] = 0; },
      [](Recipe& r) { r.std[2] = 1; },
      [](Recipe& r) { r.crop_offset = CropOffset::kDown; },
      [](Recipe& r) { r.alpha = Alpha::kBlack; },
      [](Recipe& r) { r.orientation = Orientation::kApply; },
      [](Recipe& r) { r.scale = 1; },
      [](Recipe& r) { r.dct_scaling = true; },
  };
  std::set<std::string> texts = {CanonicalText(Recipe())};
  for (const auto& change : changes) {
    Recipe recipe;
    change(recipe);
    EXPECT_TRUE(texts.insert(CanonicalText(recipe)).second) << ToString(recipe);
    const bool only_fitted = recipe.height != recipe.width;
    EXPECT_EQ(NameOf(recipe), only_fitted ? "torchvision-v1" : "custom") << ToString(recipe);
  }
}

TEST(RecipeTest, AnUnknownNameIsAnsweredWithTheKnown) {
  for (const char* name : {"", "torchvision", "MNIST"}) {
    const absl::Status status = FindPreset(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << name;
    EXPECT_THAT(
        std::string(status.message()),
        HasSubstr("torchvision-v1, torchvision-v2, mnist, cifar10, timm, keras-caffe, keras-tf, keras-torch, none"))
        << name;
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
  EXPECT_THAT(ToString(recipe), HasSubstr("shorter side 256, bicubic, crop 320x224 with black around, BGR"));
  recipe.resize_size = 320;
  EXPECT_THAT(ToString(recipe), HasSubstr("shorter side 320, bicubic, crop 320x224, BGR"));
  recipe.crop_offset = CropOffset::kDown;
  EXPECT_THAT(ToString(recipe), HasSubstr("crop 320x224, odd margins rounded down, BGR, mean"));
  recipe.resize = Resize::kSquash;
  recipe.interpolation = Interpolation::kBilinearCv2;
  EXPECT_THAT(ToString(recipe), HasSubstr("squash to 256x256, bilinear of cv2, crop 320x224 with black around, odd"));
  recipe.resize_width = 330;
  recipe.interpolation = Interpolation::kBilinearTf2;
  EXPECT_THAT(ToString(recipe),
              HasSubstr("squash to 330x256, bilinear of tf2, crop 320x224, odd margins rounded down"));
  recipe.resize_width = 320;
  recipe.resize_height = 224;
  EXPECT_THAT(ToString(recipe), HasSubstr("resize to 320x224, bilinear of tf2, BGR"));
  recipe.resize = Resize::kShorterSide;
  recipe.interpolation = Interpolation::kBicubic;
  recipe.colour = Colour::kGrey;
  recipe.alpha = Alpha::kBlack;
  recipe.orientation = Orientation::kApply;
  recipe.scale = 0.5;
  recipe.dct_scaling = true;
  EXPECT_EQ(ToString(recipe),
            "turned upright, shorter side 320, bicubic, crop 320x224, odd margins rounded down, grey on black, times "
            "0.5, mean 0.485, std 0.229, JPEG by DCT scaling");
  recipe = *FindPreset("none");
  recipe.colour = Colour::kFourChannels;
  EXPECT_EQ(ToString(recipe), "no resize, 224x224, 4 channels, times 1, mean 0 0 0 0, std 1 1 1 1");
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
      {"no image", [](Recipe& r) { r.resize_size = 0; }, "recipe.resize_size: expected 1 to 65535, got 0"},
      {"smallest image", [](Recipe& r) { r.resize_size = 1; }, nullptr},
      {"largest image", [](Recipe& r) { r.resize_size = 65535; }, nullptr},
      {"image too large", [](Recipe& r) { r.resize_size = 65536; },
       "recipe.resize_size: expected 1 to 65535, got 65536"},
      {"resize_size where it says nothing", [](Recipe& r) { r.resize = Resize::kExact, r.resize_size = 0; }, nullptr},
      {"no squashed height", [](Recipe& r) { r.resize = Resize::kSquash, r.resize_height = 0; },
       "recipe.resize_height: expected 1 to 65535, got 0"},
      {"squashed too wide", [](Recipe& r) { r.resize = Resize::kSquash, r.resize_width = 65536; },
       "recipe.resize_width: expected 1 to 65535, got 65536"},
      {"sides where they say nothing", [](Recipe& r) { r.resize_height = r.resize_width = 0; }, nullptr},
      {"squash without colours", [](Recipe& r) { r.colour = Colour::kTwoChannels, r.resize = Resize::kSquash; },
       "recipe.resize: expected none with 2 channels"},
      {"OpenCV's resize of an image that is scaled already",
       [](Recipe& r) { r.dct_scaling = true, r.interpolation = Interpolation::kBilinearCv2; },
       "recipe.dct_scaling: expected false with bilinear of cv2"},
      {"TensorFlow's", [](Recipe& r) { r.dct_scaling = true, r.interpolation = Interpolation::kBilinearTf2; },
       "recipe.dct_scaling: expected false with bilinear of tf2"},
      {"Pillow's", [](Recipe& r) { r.dct_scaling = true, r.interpolation = Interpolation::kNearest; }, nullptr},
      {"resize without colours", [](Recipe& r) { r.colour = Colour::kFourChannels; },
       "recipe.resize: expected none with 4 channels"},
      {"exact resize without colours", [](Recipe& r) { r.colour = Colour::kTwoChannels, r.resize = Resize::kExact; },
       "recipe.resize: expected none with 2 channels"},
      {"no colours", [](Recipe& r) { r.colour = Colour::kFourChannels, r.resize = Resize::kNone; }, nullptr},
      {"fourth channel's std",
       [](Recipe& r) { r.colour = Colour::kFourChannels, r.resize = Resize::kNone, r.std[3] = 0; },
       "recipe.std[3]: expected a finite number above 0, got 0"},
      {"scale is zero", [](Recipe& r) { r.scale = 0; }, "recipe.scale: expected a finite number above 0, got 0"},
      {"scale is negative", [](Recipe& r) { r.scale = -1; }, "recipe.scale: expected a finite number above 0, got -1"},
      {"scale is infinite", [](Recipe& r) { r.scale = std::numeric_limits<double>::infinity(); },
       "recipe.scale: expected a finite number above 0, got inf"},
      {"a scale that makes infinities", [](Recipe& r) { r.scale = 1e37, r.std.fill(1), r.mean.fill(0); },
       "recipe: expected finite (byte * scale - mean) / std for every byte, got inf for byte 255 of channel 0"},
      {"one that does not", [](Recipe& r) { r.scale = 1e36, r.std.fill(1), r.mean.fill(0); }, nullptr},
      {"a mean over a std that makes infinities", [](Recipe& r) { r.mean[2] = 1, r.std[2] = 1e-39f; },
       "recipe: expected finite (byte * scale - mean) / std for every byte, got -inf for byte 0 of channel 2"},
      {"small scale", [](Recipe& r) { r.scale = 1e-6; }, nullptr},
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
