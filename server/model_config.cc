#include "server/model_config.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace resnetd::server {
namespace {

// Keeps the first error: the others follow from it.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(absl::string_view file) : file_(file) {}
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(absl::StrCat(file_, ":", line + 1, ":", column + 1, ": ", message));
  }
  const absl::Status& status() const { return status_; }

 private:
  const absl::string_view file_;
  absl::Status status_;
};

template <typename Message>
absl::StatusOr<Message> ParseText(const std::string& text, absl::string_view file) {
  FirstError error(file);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  Message message;
  if (parser.ParseFromString(text, &message)) return message;
  return error.status().ok() ? absl::InvalidArgumentError(absl::StrCat(file, ": not a text message")) : error.status();
}

absl::Status CheckPlainName(absl::string_view name, absl::string_view field, absl::string_view file) {
  if (!absl::StrContains(name, '/') && name != "." && name != "..") return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(file, ": ", field, ": expected the name of a file beside the model, got '", name, "'"));
}

bool IsUtf8(absl::string_view text) {
  v1::Golden probe;  // a string field refuses to serialise or parse anything else
  probe.set_name(std::string(text));
  return v1::Golden().ParseFromString(probe.SerializeAsString());
}

const char* PresetBySize(const ModelInfo& model) {
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

// As the image box counts: COLOUR_UNSPECIFIED and the like leave what the preset says.
void SetKinds(const v1::Preprocessing& config, image::Recipe& recipe) {
  using P = v1::Preprocessing;
  if (config.resize() == P::NONE) recipe.resize = image::Resize::kNone;
  if (config.resize() == P::SHORTER_SIDE) recipe.resize = image::Resize::kShorterSide;
  if (config.resize() == P::EXACT) recipe.resize = image::Resize::kExact;
  if (config.interpolation() == P::NEAREST) recipe.interpolation = image::Interpolation::kNearest;
  if (config.interpolation() == P::BILINEAR) recipe.interpolation = image::Interpolation::kBilinear;
  if (config.interpolation() == P::BICUBIC) recipe.interpolation = image::Interpolation::kBicubic;
  if (config.colour() == P::RGB) recipe.colour = image::Colour::kRgb;
  if (config.colour() == P::BGR) recipe.colour = image::Colour::kBgr;
  if (config.crop_offset() == P::HALF_TO_EVEN) recipe.crop_offset = image::CropOffset::kHalfToEven;
  if (config.crop_offset() == P::DOWN) recipe.crop_offset = image::CropOffset::kDown;
}

// A preset is for one input size. For another, the shorter side keeps its ratio to the crop: 256 to 224, say.
void FitToInput(const ModelInfo& model, image::Recipe& recipe) {
  const int was = std::max(recipe.height, recipe.width), is = std::max(model.height, model.width);
  if (was != is && was > 0) {
    recipe.resize_size = static_cast<int>((int64_t{recipe.resize_size} * is + was / 2) / was);  // checked by Validate()
  }
  recipe.height = model.height;
  recipe.width = model.width;
}

}  // namespace

absl::StatusOr<v1::ModelConfig> ParseModelConfig(const std::string& text, absl::string_view file) {
  auto config = ParseText<v1::ModelConfig>(text, file);
  if (!config.ok()) return config;
  if (absl::Status s = CheckPlainName(config->labels_file(), "labels_file", file); !s.ok()) return s;
  if (absl::Status s = CheckPlainName(config->golden_file(), "golden_file", file); !s.ok()) return s;
  for (int i = 0; i < config->heads_size(); ++i) {
    const std::string field = absl::StrCat("heads[", i, "].labels_file");
    if (absl::Status s = CheckPlainName(config->heads(i).labels_file(), field, file); !s.ok()) return s;
  }
  if (config->default_deadline_ms() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": default_deadline_ms: expected at least 0, got ", config->default_deadline_ms()));
  }
  return config;
}

absl::StatusOr<v1::GoldenSet> ParseGoldenSet(const std::string& text, absl::string_view file) {
  auto golden = ParseText<v1::GoldenSet>(text, file);
  if (!golden.ok()) return golden;
  // What follows would make a check that cannot fail.
  if (!(golden->tolerance() >= 0 && golden->tolerance() < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": tolerance: expected a fraction from 0 to below 1, got ", golden->tolerance()));
  }
  if (golden->golden().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": golden: expected at least one image, got none"));
  }
  const auto finite = [](float value) { return std::isfinite(value); };
  for (const v1::Golden& one : golden->golden()) {
    const bool sound = absl::c_all_of(one.logits(), finite) && absl::c_all_of(one.embedding(), finite);
    if (sound && one.logits_size() + one.embedding_size() > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(file, ": golden '", one.name(), "': expected ",
                                                   sound ? "logits or an embedding" : "finite values"));
  }
  return golden;
}

absl::StatusOr<std::vector<std::string>> ParseLabels(absl::string_view text, absl::string_view file, int classes) {
  if (!IsUtf8(text)) return absl::InvalidArgumentError(absl::StrCat(file, ": expected UTF-8 text"));
  std::vector<std::string> labels = absl::StrSplit(text, '\n');
  if (labels.back().empty()) labels.pop_back();  // what follows the last line's end
  for (std::string& label : labels) {
    if (absl::EndsWith(label, "\r")) label.pop_back();
  }
  if (static_cast<int>(labels.size()) == classes) return labels;
  return absl::InvalidArgumentError(absl::StrCat(
      file, ": expected ", classes, " labels, one a line for each class of the model, got ", labels.size()));
}

absl::StatusOr<ChosenRecipe> ChooseRecipe(const v1::Preprocessing& config, absl::string_view preset,
                                          const ModelInfo& model) {
  if (model.channels != 1 && model.channels != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model's input: expected 1 or 3 channels, got ", model.channels));
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
  if (recipe->channels() != model.channels && (config.mean().empty() || config.std().empty())) {
    return absl::InvalidArgumentError(absl::StrCat("recipe '", chosen.preset, "' is for ", recipe->channels(),
                                                   " channels, the model's input has ", model.channels,
                                                   ": expected preprocessing.mean and std too"));
  }
  FitToInput(model, *recipe);
  SetKinds(config, *recipe);
  if (config.resize_size() != 0) {
    if (recipe->resize != image::Resize::kShorterSide) {
      return absl::InvalidArgumentError(absl::StrCat("preprocessing.resize_size: expected with SHORTER_SIDE only, got ",
                                                     config.resize_size(), " with another resize"));
    }
    recipe->resize_size = config.resize_size();
  }
  if (model.channels == 1) {
    recipe->colour = image::Colour::kGrey;
  } else if (recipe->colour == image::Colour::kGrey) {
    recipe->colour = image::Colour::kRgb;
  }
  if (absl::Status s = SetChannels(config.mean(), "mean", model.channels, recipe->mean); !s.ok()) return s;
  if (absl::Status s = SetChannels(config.std(), "std", model.channels, recipe->std); !s.ok()) return s;
  if (absl::Status s = image::Validate(*recipe); !s.ok()) return s;
  chosen.recipe = *recipe;
  return chosen;
}

}  // namespace resnetd::server
