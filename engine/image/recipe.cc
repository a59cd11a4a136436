#include "engine/image/recipe.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"

namespace resnetd::image {
namespace {

// Larger than any network's input; keeps the arithmetic of sizes far from overflow.
constexpr int kMaxInputSide = 16'384;
constexpr int kMaxResizeSize = 65'535;

struct Preset {
  absl::string_view name;
  Recipe recipe;
};

constexpr std::array<float, 4> kImageNetMean = {0.485f, 0.456f, 0.406f, 0};
constexpr std::array<float, 4> kImageNetStd = {0.229f, 0.224f, 0.225f, 1};

// torchvision's two generations of weights (IMAGENET1K_V1 and _V2), and what published MNIST and CIFAR-10 networks are
// commonly trained with. The small ones are trained without resizing; whatever else they are sent is scaled to fit.
constexpr Preset kPresets[] = {
    {"torchvision-v1",
     {Resize::kShorterSide, 256, 224, 224, Interpolation::kBilinear, Colour::kRgb, kImageNetMean, kImageNetStd}},
    {"torchvision-v2",
     {Resize::kShorterSide, 232, 224, 224, Interpolation::kBilinear, Colour::kRgb, kImageNetMean, kImageNetStd}},
    {"mnist",
     {Resize::kExact, 28, 28, 28, Interpolation::kBilinear, Colour::kGrey, {0.1307f, 0, 0, 0}, {0.3081f, 1, 1, 1}}},
    {"cifar10",
     {Resize::kExact,
      32,
      32,
      32,
      Interpolation::kBilinear,
      Colour::kRgb,
      {0.4914f, 0.4822f, 0.4465f, 0},
      {0.2023f, 0.1994f, 0.2010f, 1}}},
};

absl::Status CheckRange(absl::string_view field, int value, int low, int high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("recipe.", field, ": expected ", low, " to ", high, ", got ", value));
}

absl::string_view Name(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::kNearest:
      return "nearest";
    case Interpolation::kBilinear:
      return "bilinear";
    case Interpolation::kBicubic:
      return "bicubic";
  }
  return "";
}

absl::string_view Name(Colour colour) {
  switch (colour) {
    case Colour::kRgb:
      return "RGB";
    case Colour::kBgr:
      return "BGR";
    case Colour::kGrey:
      return "grey";
  }
  return "";
}

std::string SizeText(const Recipe& recipe) {
  const std::string input = absl::StrCat(recipe.width, "x", recipe.height);
  switch (recipe.resize) {
    case Resize::kNone:
      return absl::StrCat("no resize, ", input);
    case Resize::kShorterSide:
      return absl::StrCat("shorter side ", recipe.resize_size, ", ", Name(recipe.interpolation), ", crop ", input,
                          recipe.crop_offset == CropOffset::kDown ? ", odd margins rounded down" : "");
    case Resize::kExact:
      return absl::StrCat("resize to ", input, ", ", Name(recipe.interpolation));
  }
  return "";
}

}  // namespace

absl::StatusOr<Recipe> FindPreset(absl::string_view name) {
  for (const Preset& preset : kPresets) {
    if (preset.name == name) return preset.recipe;
  }
  return absl::NotFoundError(absl::StrCat(
      "no recipe is called '", name, "'; there are ",
      absl::StrJoin(kPresets, ", ", [](std::string* out, const Preset& p) { absl::StrAppend(out, p.name); })));
}

absl::Status Validate(const Recipe& recipe) {
  if (absl::Status s = CheckRange("height", recipe.height, 1, kMaxInputSide); !s.ok()) return s;
  if (absl::Status s = CheckRange("width", recipe.width, 1, kMaxInputSide); !s.ok()) return s;
  if (recipe.resize == Resize::kShorterSide) {
    // Else the crop would reach over the image's edge.
    const int crop = std::max(recipe.height, recipe.width);
    if (absl::Status s = CheckRange("resize_size", recipe.resize_size, crop, kMaxResizeSize); !s.ok()) return s;
  }
  for (int c = 0; c < recipe.channels(); ++c) {
    if (!std::isfinite(recipe.mean[c])) {
      return absl::InvalidArgumentError(
          absl::StrCat("recipe.mean[", c, "]: expected a finite number, got ", recipe.mean[c]));
    }
    if (!std::isfinite(recipe.std[c]) || recipe.std[c] <= 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("recipe.std[", c, "]: expected a finite number above 0, got ", recipe.std[c]));
    }
  }
  return absl::OkStatus();
}

std::string ToString(const Recipe& recipe) {
  const auto channels = [&recipe](const std::array<float, 4>& values) {
    return absl::StrJoin(absl::MakeConstSpan(values).subspan(0, recipe.channels()), " ");
  };
  return absl::StrCat(SizeText(recipe), ", ", Name(recipe.colour), ", mean ", channels(recipe.mean), ", std ",
                      channels(recipe.std));
}

}  // namespace resnetd::image
