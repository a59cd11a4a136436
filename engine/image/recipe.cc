#include "engine/image/recipe.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd::image {
namespace {

struct Preset {
  absl::string_view name;
  Recipe recipe;
};

constexpr std::array<float, 4> kImageNetMean = {0.485f, 0.456f, 0.406f, 0};
constexpr std::array<float, 4> kImageNetStd = {0.229f, 0.224f, 0.225f, 1};

// torchvision's two generations of weights (IMAGENET1K_V1 and _V2), what published MNIST and CIFAR-10 networks are
// commonly trained with, and Keras' load_img() with preprocess_input(). The small ones are trained without resizing;
// whatever else they are sent is scaled to fit.
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
    {"timm", {Resize::kShorterSide, 256, 224, 224, Interpolation::kBicubic, Colour::kRgb, kImageNetMean, kImageNetStd}},
    {"keras-caffe",
     {.resize = Resize::kExact,
      .interpolation = Interpolation::kNearest,
      .colour = Colour::kBgr,
      .mean = {103.939f, 116.779f, 123.68f, 0},
      .std = {1, 1, 1, 1},
      .scale = 1}},
    {"keras-tf",
     {.resize = Resize::kExact,
      .interpolation = Interpolation::kNearest,
      .mean = {1, 1, 1, 0},
      .std = {1, 1, 1, 1},
      .scale = 1 / 127.5}},
    {"keras-torch", {.resize = Resize::kExact, .interpolation = Interpolation::kNearest}},
    {"none", {.resize = Resize::kNone, .mean = {0, 0, 0, 0}, .std = {1, 1, 1, 1}, .scale = 1}},
};

absl::Status CheckField(absl::string_view field, int value, int low, int high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Expected(absl::StrCat("recipe.", field), absl::StrCat(low, " to ", high), absl::StrCat(value));
}

absl::string_view Name(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::kNearest:
      return "nearest";
    case Interpolation::kBilinear:
      return "bilinear";
    case Interpolation::kBicubic:
      return "bicubic";
    case Interpolation::kBilinearCv2:
      return "bilinear of cv2";
    case Interpolation::kBilinearTf2:
      return "bilinear of tf2";
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
    case Colour::kTwoChannels:
      return "2 channels";
    case Colour::kFourChannels:
      return "4 channels";
  }
  return "";
}

// A squash to the input's own size is an exact resize: there is nothing to cut.
Resize ResizeOf(const Recipe& recipe) {
  const bool to_input = recipe.resize_height == recipe.height && recipe.resize_width == recipe.width;
  return recipe.resize == Resize::kSquash && to_input ? Resize::kExact : recipe.resize;
}

bool SamplesTheWhole(Interpolation interpolation) {
  return interpolation == Interpolation::kBilinearCv2 || interpolation == Interpolation::kBilinearTf2;
}

std::string CropText(const Recipe& recipe, int scaled_height, int scaled_width) {
  return absl::StrCat(", ", Name(recipe.interpolation), ", crop ", recipe.width, "x", recipe.height,
                      scaled_height < recipe.height || scaled_width < recipe.width ? " with black around" : "",
                      recipe.crop_offset == CropOffset::kDown ? ", odd margins rounded down" : "");
}

std::string SizeText(const Recipe& recipe) {
  const std::string input = absl::StrCat(recipe.width, "x", recipe.height);
  switch (ResizeOf(recipe)) {
    case Resize::kNone:
      return absl::StrCat("no resize, ", input);
    case Resize::kShorterSide:
      return absl::StrCat("shorter side ", recipe.resize_size,
                          CropText(recipe, recipe.resize_size, recipe.resize_size));
    case Resize::kExact:
      return absl::StrCat("resize to ", input, ", ", Name(recipe.interpolation));
    case Resize::kSquash:
      return absl::StrCat("squash to ", recipe.resize_width, "x", recipe.resize_height,
                          CropText(recipe, recipe.resize_height, recipe.resize_width));
  }
  return "";
}

}  // namespace

int Recipe::channels() const {
  switch (colour) {
    case Colour::kGrey:
      return 1;
    case Colour::kTwoChannels:
      return 2;
    case Colour::kRgb:
    case Colour::kBgr:
      return 3;
    case Colour::kFourChannels:
      return 4;
  }
  return 0;
}

absl::StatusOr<Recipe> FindPreset(absl::string_view name) {
  for (const Preset& preset : kPresets) {
    if (preset.name == name) return preset.recipe;
  }
  return absl::NotFoundError(absl::StrCat(
      "no recipe is called ", Quoted(name), "; there are ",
      absl::StrJoin(kPresets, ", ", [](std::string* out, const Preset& p) { absl::StrAppend(out, p.name); })));
}

Recipe FitToInput(Recipe recipe, int height, int width) {
  const int was = std::max(recipe.height, recipe.width), is = std::max(height, width);
  const auto scaled = [size = recipe.resize_size, was](int to) {  // checked by Validate()
    return was > 0 ? static_cast<int>((int64_t{size} * to + was / 2) / was) : size;
  };
  recipe.resize_height = scaled(height);
  recipe.resize_width = scaled(width);
  if (was != is) recipe.resize_size = scaled(is);
  recipe.height = height;
  recipe.width = width;
  return recipe;
}

bool TreatsChannelsAlike(const Recipe& recipe) {
  const auto alike = [](const std::array<float, 4>& values) {
    return std::all_of(values.begin(), values.end(), [&values](float value) { return value == values[0]; });
  };
  return alike(recipe.mean) && alike(recipe.std);
}

std::string NameOf(const Recipe& recipe) {
  const std::string text = CanonicalText(recipe);
  for (const Preset& preset : kPresets) {
    Recipe fitted = FitToInput(preset.recipe, recipe.height, recipe.width);
    if (recipe.channels() != fitted.channels() && TreatsChannelsAlike(fitted)) fitted.colour = recipe.colour;
    if (CanonicalText(fitted) == text) return std::string(preset.name);
  }
  return "custom";
}

// The text leaves out each value that is as it was before it could be chosen, so that old recipes keep their texts.
std::string CanonicalText(const Recipe& recipe) {
  const Resize resize = ResizeOf(recipe);
  std::string text = absl::StrFormat("resize %d height %d width %d colour %d", static_cast<int>(resize), recipe.height,
                                     recipe.width, static_cast<int>(recipe.colour));
  if (recipe.resize != Resize::kNone) {
    absl::StrAppendFormat(&text, " interpolation %d", static_cast<int>(recipe.interpolation));
  }
  if (resize == Resize::kShorterSide) {
    absl::StrAppendFormat(&text, " side %d offset %d", recipe.resize_size, static_cast<int>(recipe.crop_offset));
  }
  if (resize == Resize::kSquash) {
    absl::StrAppendFormat(&text, " sides %d %d offset %d", recipe.resize_height, recipe.resize_width,
                          static_cast<int>(recipe.crop_offset));
  }
  for (int c = 0; c < recipe.channels(); ++c) {
    absl::StrAppendFormat(&text, " channel %a %a", recipe.mean[c], recipe.std[c]);
  }
  if (recipe.alpha != Alpha::kDrop) absl::StrAppendFormat(&text, " alpha %d", static_cast<int>(recipe.alpha));
  if (recipe.orientation != Orientation::kIgnore) {
    absl::StrAppendFormat(&text, " orientation %d", static_cast<int>(recipe.orientation));
  }
  if (recipe.scale != Recipe().scale) absl::StrAppendFormat(&text, " scale %a", recipe.scale);
  if (recipe.dct_scaling && recipe.resize != Resize::kNone) absl::StrAppend(&text, " dct_scaling");
  return text;
}

absl::Status Validate(const Recipe& recipe) {
  RESNETD_RETURN_IF_ERROR(CheckField("height", recipe.height, 1, kMaxInputSide));
  RESNETD_RETURN_IF_ERROR(CheckField("width", recipe.width, 1, kMaxInputSide));
  if (recipe.resize == Resize::kShorterSide) {
    RESNETD_RETURN_IF_ERROR(CheckField("resize_size", recipe.resize_size, 1, kMaxResizeSize));
  }
  if (recipe.resize == Resize::kSquash) {
    RESNETD_RETURN_IF_ERROR(CheckField("resize_height", recipe.resize_height, 1, kMaxResizeSize));
    RESNETD_RETURN_IF_ERROR(CheckField("resize_width", recipe.resize_width, 1, kMaxResizeSize));
  }
  if (recipe.resize != Resize::kNone && !recipe.takes_files()) {
    return absl::InvalidArgumentError(
        absl::StrCat("recipe.resize: expected none with ", recipe.channels(), " channels, which are no colours"));
  }
  if (recipe.dct_scaling && recipe.resize != Resize::kNone && SamplesTheWhole(recipe.interpolation)) {
    return absl::InvalidArgumentError(absl::StrCat("recipe.dct_scaling: expected false with ",
                                                   Name(recipe.interpolation),
                                                   ", whose results are of the whole image; it goes with nearest, "
                                                   "bilinear and bicubic"));
  }
  if (!std::isfinite(recipe.scale) || recipe.scale <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("recipe.scale: expected a finite number above 0, got ", recipe.scale));
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
    for (const double byte : {0.0, 255.0}) {
      const float value = (static_cast<float>(byte * recipe.scale) - recipe.mean[c]) / recipe.std[c];
      if (std::isfinite(value)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("recipe: expected finite (byte * scale - mean) / std for every byte, got ", value, " for byte ",
                       byte, " of channel ", c));
    }
  }
  return absl::OkStatus();
}

std::string ToString(const Recipe& recipe) {
  const auto channels = [&recipe](const std::array<float, 4>& values) {
    return absl::StrJoin(absl::MakeConstSpan(values).subspan(0, recipe.channels()), " ");
  };
  return absl::StrCat(recipe.orientation == Orientation::kApply ? "turned upright, " : "", SizeText(recipe), ", ",
                      Name(recipe.colour), recipe.alpha == Alpha::kBlack ? " on black" : "",
                      recipe.scale == Recipe().scale ? "" : absl::StrCat(", times ", recipe.scale), ", mean ",
                      channels(recipe.mean), ", std ", channels(recipe.std),
                      recipe.dct_scaling ? ", JPEG by DCT scaling" : "");
}

}  // namespace resnetd::image
