#include "models/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <tuple>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "models/text_message.h"
#include "utf8.h"

namespace resnetd {
namespace {

template <typename Message>
absl::StatusOr<Message> ParseText(const std::string& text, absl::string_view file) {
  Message message;
  RESNETD_RETURN_IF_ERROR(ParseTextMessage(text, file, message));
  return message;
}

absl::Status CheckPlainName(absl::string_view name, absl::string_view field, absl::string_view file) {
  if (!absl::StrContains(name, '/') && name != "." && name != "..") return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(EchoPath(file), ": ", field, ": expected the name of a file beside the model, got ", Quoted(name)));
}

const char* PresetBySize(const ModelInfo& model) {
  if (model.channels == 2 || model.channels == 4) return "none";
  if (model.channels == 1) return "mnist";
  return std::max(model.height, model.width) <= 64 ? "cifar10" : "torchvision-v1";
}

absl::Status SetChannels(const google::protobuf::RepeatedField<float>& from, absl::string_view field, int channels,
                         std::array<float, 4>& to) {
  if (from.empty()) return absl::OkStatus();
  if (from.size() != channels) {
    return absl::InvalidArgumentError(
        absl::StrCat("preprocessing.", field, ": expected ", channels, " values, one a channel, got ", from.size()));
  }
  absl::c_copy(from, to.begin());
  return absl::OkStatus();
}

// The image box counts alike: COLOUR_UNSPECIFIED and the like leave what the preset says.
void SetKinds(const v1::Preprocessing& config, image::Recipe& recipe) {
  using P = v1::Preprocessing;
  if (config.resize() == P::NONE) recipe.resize = image::Resize::kNone;
  if (config.resize() == P::SHORTER_SIDE) recipe.resize = image::Resize::kShorterSide;
  if (config.resize() == P::EXACT) recipe.resize = image::Resize::kExact;
  if (config.resize() == P::SQUASH) recipe.resize = image::Resize::kSquash;
  if (config.interpolation() == P::NEAREST) recipe.interpolation = image::Interpolation::kNearest;
  if (config.interpolation() == P::BILINEAR) recipe.interpolation = image::Interpolation::kBilinear;
  if (config.interpolation() == P::BICUBIC) recipe.interpolation = image::Interpolation::kBicubic;
  if (config.interpolation() == P::BILINEAR_CV2) recipe.interpolation = image::Interpolation::kBilinearCv2;
  if (config.interpolation() == P::BILINEAR_TF2) recipe.interpolation = image::Interpolation::kBilinearTf2;
  if (config.colour() == P::RGB) recipe.colour = image::Colour::kRgb;
  if (config.colour() == P::BGR) recipe.colour = image::Colour::kBgr;
  if (config.crop_offset() == P::HALF_TO_EVEN) recipe.crop_offset = image::CropOffset::kHalfToEven;
  if (config.crop_offset() == P::DOWN) recipe.crop_offset = image::CropOffset::kDown;
  if (config.alpha() == P::DROP) recipe.alpha = image::Alpha::kDrop;
  if (config.alpha() == P::BLACK) recipe.alpha = image::Alpha::kBlack;
  if (config.orientation() == P::IGNORE) recipe.orientation = image::Orientation::kIgnore;
  if (config.orientation() == P::APPLY) recipe.orientation = image::Orientation::kApply;
  if (config.has_scale()) recipe.scale = config.scale();
  recipe.dct_scaling = config.dct_scaling();
}

void SetColour(int channels, image::Recipe& recipe) {
  using image::Colour;
  if (channels == 1) recipe.colour = Colour::kGrey;
  if (channels == 2) recipe.colour = Colour::kTwoChannels;
  if (channels == 3 && recipe.colour == Colour::kGrey) recipe.colour = Colour::kRgb;
  if (channels == 4) recipe.colour = Colour::kFourChannels;
}

// timm's: math.floor(side / crop_pct), in double as Python has it.
absl::StatusOr<int> ScaledSide(int side, double fraction) {
  if (!(fraction > 0 && fraction <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("preprocessing.crop_fraction: expected above 0 and up to 1, got ", fraction));
  }
  const double scaled = std::floor(side / fraction);
  if (scaled <= image::kMaxResizeSize) return static_cast<int>(scaled);
  return absl::InvalidArgumentError(absl::StrCat("preprocessing.crop_fraction: expected a scaled side, ", side,
                                                 " / crop_fraction, of at most ", image::kMaxResizeSize, ", got ",
                                                 fraction));
}

// Each way to say the scaled size goes with some kinds of resize, and none with another way.
absl::Status CheckSizeFields(const v1::Preprocessing& config, image::Resize resize) {
  const bool squash = resize == image::Resize::kSquash, scales = squash || resize == image::Resize::kShorterSide;
  const bool has_sides = config.has_resize_height() || config.has_resize_width();
  for (const auto& [field, given, goes, with] :
       {std::tuple("resize_size", config.has_resize_size(), scales, "SHORTER_SIDE and SQUASH"),
        std::tuple("crop_fraction", config.has_crop_fraction(), scales, "SHORTER_SIDE and SQUASH"),
        std::tuple("resize_height", config.has_resize_height(), squash, "SQUASH"),
        std::tuple("resize_width", config.has_resize_width(), squash, "SQUASH")}) {
    if (!given || goes) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("preprocessing.", field, ": expected with ", with, " only, got it with another resize"));
  }
  if (config.has_resize_size() && config.has_crop_fraction()) {
    return absl::InvalidArgumentError("preprocessing: expected resize_size or crop_fraction, got both");
  }
  if (has_sides && (config.has_resize_size() || config.has_crop_fraction())) {
    return absl::InvalidArgumentError(absl::StrCat("preprocessing: expected resize_height and resize_width, or ",
                                                   config.has_resize_size() ? "resize_size" : "crop_fraction",
                                                   ", got both"));
  }
  if (config.has_resize_height() != config.has_resize_width()) {
    return absl::InvalidArgumentError(absl::StrCat("preprocessing: expected resize_height and resize_width, got ",
                                                   config.has_resize_height() ? "resize_height" : "resize_width",
                                                   " alone"));
  }
  return absl::OkStatus();
}

absl::Status SetResizeSize(const v1::Preprocessing& config, image::Recipe& recipe) {
  RESNETD_RETURN_IF_ERROR(CheckSizeFields(config, recipe.resize));
  if (config.has_resize_size()) {
    recipe.resize_size = recipe.resize_height = recipe.resize_width = config.resize_size();
  }
  if (config.has_resize_height()) {
    recipe.resize_height = config.resize_height();
    recipe.resize_width = config.resize_width();
  }
  if (!config.has_crop_fraction()) return absl::OkStatus();
  RESNETD_ASSIGN_OR_RETURN(recipe.resize_height, ScaledSide(recipe.height, config.crop_fraction()));
  RESNETD_ASSIGN_OR_RETURN(recipe.resize_width, ScaledSide(recipe.width, config.crop_fraction()));
  recipe.resize_size = recipe.resize_height;
  if (recipe.resize == image::Resize::kSquash || recipe.height == recipe.width) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("preprocessing.crop_fraction: expected with a square input or SQUASH, "
                   "got ",
                   recipe.width, "x", recipe.height));
}

// A crop to an input that is not square may cut a person in two. Nothing is cut unless somebody asked for it.
bool ScalesExactlyByDefault(const v1::Preprocessing& config, const image::Recipe& recipe, bool named) {
  return !named && recipe.height != recipe.width && recipe.resize == image::Resize::kShorterSide &&
         config.resize() == v1::Preprocessing::RESIZE_UNSPECIFIED && !config.has_resize_size() &&
         !config.has_crop_fraction();
}

template <typename Values>
bool AllAre(float same, const Values& values) {
  return absl::c_all_of(values, [same](float value) { return value == same; });
}

// Requires that the config has no scale, mean or std that would change pixels.
absl::Status CheckNoNormalisation(const v1::Preprocessing& config) {
  const char* field = nullptr;
  if (config.has_scale() && config.scale() != 1) field = "scale";
  if (!AllAre(0, config.mean())) field = "mean";
  if (!AllAre(1, config.std())) field = "std";
  if (field == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("preprocessing.", field, ": expected none, as the file takes bytes and normalises them itself"));
}

// The float that a person would have written: 0.229 for 0.22900001, if that is within the rounding of a few operations.
float Neat(double value) {
  for (int digits = 1; digits <= 6; ++digits) {
    double neat = 0;
    if (!absl::SimpleAtod(absl::StrFormat("%.*g", digits, value), &neat)) break;
    if (std::abs(neat - value) <= 3e-7 * std::abs(value)) return static_cast<float>(neat);
  }
  return static_cast<float>(value);
}

// factor * pixel + shift = (pixel * scale - mean) / std, std being 1 / factor in units of the scale. That is 1/255
// where it makes numbers as people publish them, or else 1.
void SetNormalisation(const InputValues& values, image::Recipe& recipe) {
  constexpr double kLeastStd = 0.05, kLargestStd = 1.5;
  recipe.mean.fill(0);
  recipe.std.fill(1);
  recipe.scale = 1;
  const auto in_units = [](double factor) { return 1 / (255 * factor); };
  const bool units = !values.factors.empty() && absl::c_all_of(values.factors, [&](double factor) {
    return in_units(factor) >= kLeastStd && in_units(factor) <= kLargestStd;
  });
  if (units) recipe.scale = 1.0 / 255;
  for (size_t c = 0; c < std::min(values.factors.size(), recipe.mean.size()); ++c) {
    const double std = units ? in_units(values.factors[c]) : 1 / values.factors[c];
    recipe.std[c] = Neat(std);
    recipe.mean[c] = Neat(0 - values.shifts[c] * std);  // no negative zero
  }
}

// Says whose the normalisation is, if it is not the preset's and config's.
std::string NoteOf(const InputValues& values, bool assumed) {
  if (values.are_bytes) return "the file takes bytes and normalises them itself: no preset's mean and std apply";
  if (!values.are_pixels) return "";
  return assumed ? "the file brings pixels to another range itself: its input is taken to be pixels, 0 to 255"
                 : "the file brings its input to another range itself, as if it were pixels, and preprocessing comes "
                   "before that; leave it out for 0 to 255";
}

bool Normalises(const image::Recipe& recipe) {
  return recipe.scale != 1 || !AllAre(0, recipe.mean) || !AllAre(1, recipe.std);
}

}  // namespace

absl::StatusOr<InputSize> ParseInputSize(absl::string_view text, absl::string_view from) {
  const std::pair<absl::string_view, absl::string_view> sides = absl::StrSplit(text, absl::MaxSplits('x', 1));
  InputSize size;
  size.from = std::string(from);
  const auto parse = [](absl::string_view side, int& into) {
    const bool digits = !side.empty() && side[0] != '0' && absl::c_all_of(side, absl::ascii_isdigit);
    return digits && absl::SimpleAtoi(side, &into) && into >= 1 && into <= image::kMaxInputSide;
  };
  if (parse(sides.first, size.height) && parse(sides.second, size.width)) return size;
  return Expected(from, absl::StrCat("HEIGHTxWIDTH in pixels, 224x224 say, each 1 to ", image::kMaxInputSide),
                  Quoted(text));
}

absl::StatusOr<InputSize> ChooseInputSize(const v1::ModelConfig& config, absl::string_view option,
                                          absl::string_view preset) {
  InputSize size;
  if (!option.empty()) {
    RESNETD_ASSIGN_OR_RETURN(size, ParseInputSize(option, "--input-size"));
  } else if (config.has_input_size()) {
    RESNETD_ASSIGN_OR_RETURN(size, ParseInputSize(config.input_size(), "input_size"));
  }
  const std::string name(!preset.empty() ? preset : absl::string_view(config.preprocessing().preset()));
  const absl::StatusOr<image::Recipe> recipe = image::FindPreset(name);
  if (name.empty() || !recipe.ok() || recipe->resize == image::Resize::kNone) return size;
  size.usual_height = recipe->height;
  size.usual_width = recipe->width;
  size.usual_from = absl::StrCat("preset ", name);
  return size;
}

absl::StatusOr<v1::ModelConfig> ParseModelConfig(const std::string& text, absl::string_view file) {
  auto config = ParseText<v1::ModelConfig>(text, file);
  if (!config.ok()) return config;
  RESNETD_RETURN_IF_ERROR(CheckPlainName(config->labels_file(), "labels_file", file));
  RESNETD_RETURN_IF_ERROR(CheckPlainName(config->golden_file(), "golden_file", file));
  for (int i = 0; i < config->heads_size(); ++i) {
    const std::string field = absl::StrCat("heads[", i, "].labels_file");
    RESNETD_RETURN_IF_ERROR(CheckPlainName(config->heads(i).labels_file(), field, file));
  }
  if (config->default_deadline_ms() < 0) {
    return absl::InvalidArgumentError(absl::StrCat(EchoPath(file), ": default_deadline_ms: expected at least 0, got ",
                                                   config->default_deadline_ms()));
  }
  return config;
}

absl::StatusOr<v1::GoldenSet> ParseGoldenSet(const std::string& text, absl::string_view file) {
  auto golden = ParseText<v1::GoldenSet>(text, file);
  if (!golden.ok()) return golden;
  // Any other tolerance would make a check that cannot fail.
  if (!(golden->tolerance() >= 0 && golden->tolerance() < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat(EchoPath(file), ": tolerance: expected a fraction from 0 to below 1, got ", golden->tolerance()));
  }
  if (golden->golden().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(EchoPath(file), ": golden: expected at least one image, got none"));
  }
  const auto finite = [](float value) { return std::isfinite(value); };
  for (const v1::Golden& one : golden->golden()) {
    const bool sound = absl::c_all_of(one.logits(), finite) && absl::c_all_of(one.embedding(), finite);
    if (sound && one.logits_size() + one.embedding_size() > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(EchoPath(file), ": golden ", Quoted(one.name()), ": expected ",
                                                   sound ? "logits or an embedding" : "finite values"));
  }
  return golden;
}

absl::StatusOr<ChosenRecipe> ChooseRecipe(const v1::Preprocessing& config, absl::string_view preset,
                                          const ModelInfo& model) {
  if (model.channels < 1 || model.channels > 4) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model's input: expected 1 to 4 channels, got ", model.channels));
  }
  ChosenRecipe chosen;
  chosen.assumed = preset.empty() && config.preset().empty() && config.mean().empty();
  chosen.preset = std::string(!preset.empty() ? preset : absl::string_view(config.preset()));
  if (chosen.preset.empty()) chosen.preset = PresetBySize(model);
  absl::StatusOr<image::Recipe> recipe = image::FindPreset(chosen.preset);
  if (!recipe.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(preset.empty() ? "preprocessing.preset: " : "--recipe: ", recipe.status().message()));
  }
  const InputValues& values = model.input_values;
  const bool said = !preset.empty() || !config.preset().empty() || !config.mean().empty() || !config.std().empty() ||
                    config.has_scale();
  const bool of_file = values.are_bytes || (values.are_pixels && !said);
  if (!of_file && recipe->channels() != model.channels && !image::TreatsChannelsAlike(*recipe) &&
      (config.mean().empty() || config.std().empty())) {
    return absl::InvalidArgumentError(absl::StrCat("recipe ", Quoted(chosen.preset), " is for ", recipe->channels(),
                                                   " channels, the model's input has ", model.channels,
                                                   ": expected preprocessing.mean and std too"));
  }
  *recipe = image::FitToInput(*recipe, model.height, model.width);
  SetKinds(config, *recipe);
  const bool named = !preset.empty() || !config.preset().empty();
  chosen.exact_by_default = ScalesExactlyByDefault(config, *recipe, named);
  if (chosen.exact_by_default) recipe->resize = image::Resize::kExact;
  RESNETD_RETURN_IF_ERROR(SetResizeSize(config, *recipe));
  SetColour(model.channels, *recipe);
  RESNETD_RETURN_IF_ERROR(SetChannels(config.mean(), "mean", model.channels, recipe->mean));
  RESNETD_RETURN_IF_ERROR(SetChannels(config.std(), "std", model.channels, recipe->std));
  if (values.are_bytes) RESNETD_RETURN_IF_ERROR(CheckNoNormalisation(config));
  if (of_file) SetNormalisation(values, *recipe);
  if (values.are_bytes || (values.are_pixels && (!said || Normalises(*recipe)))) chosen.note = NoteOf(values, !said);
  RESNETD_RETURN_IF_ERROR(image::Validate(*recipe));
  chosen.recipe = *recipe;
  return chosen;
}

}  // namespace resnetd
