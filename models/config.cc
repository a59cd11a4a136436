#include "models/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <tuple>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
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

bool IsUtf8(absl::string_view text) {
  return utf8::is_valid(text.begin(), text.end());
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

}  // namespace

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

int CountLabels(absl::string_view text) {
  const auto ended = absl::c_count(text, '\n');
  return static_cast<int>(ended + (!text.empty() && text.back() != '\n'));
}

absl::StatusOr<std::vector<std::string>> ParseLabels(absl::string_view text, absl::string_view file, int classes) {
  if (!IsUtf8(text)) return absl::InvalidArgumentError(absl::StrCat(EchoPath(file), ": expected UTF-8 text"));
  std::vector<std::string> labels = absl::StrSplit(text, '\n');
  if (labels.back().empty()) labels.pop_back();  // what follows the last line's end
  for (std::string& label : labels) {
    if (absl::EndsWith(label, "\r")) label.pop_back();
  }
  if (static_cast<int>(labels.size()) == classes) return labels;
  return absl::InvalidArgumentError(absl::StrCat(
      EchoPath(file), ": expected ", classes, " labels, one a line for each class of the model, got ", labels.size()));
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
  if (recipe->channels() != model.channels && !image::TreatsChannelsAlike(*recipe) &&
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
  RESNETD_RETURN_IF_ERROR(image::Validate(*recipe));
  chosen.recipe = *recipe;
  return chosen;
}

}  // namespace resnetd
