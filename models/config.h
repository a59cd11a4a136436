#ifndef RESNETD_MODELS_CONFIG_H_
#define RESNETD_MODELS_CONFIG_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/engine.h"
#include "engine/image/recipe.h"
#include "resnetd/v1/model_config.pb.h"

// Reads the files beside a model.onnx, from text to values. Errors are INVALID_ARGUMENT and name the file, as `file`,
// and the line or the field.
namespace resnetd {

// An unknown key is an error, as is a file name that is not plain.
absl::StatusOr<v1::ModelConfig> ParseModelConfig(const std::string& text, absl::string_view file);
// The set has at least one image, each with logits or an embedding, finite ones; a tolerance below 1.
absl::StatusOr<v1::GoldenSet> ParseGoldenSet(const std::string& text, absl::string_view file);

// Lines of a labels file.
int CountLabels(absl::string_view text);
// One label a line, UTF-8. `classes`: how many there must be.
absl::StatusOr<std::vector<std::string>> ParseLabels(absl::string_view text, absl::string_view file, int classes);

struct ChosenRecipe {
  image::Recipe recipe;
  bool assumed = false;  // neither the config nor the operator said: the preset was chosen by the input's size
  std::string preset;    // where it started from
  // Nobody said how to resize for an input that is not square, so images are scaled to it exactly, and nothing is cut.
  bool exact_by_default = false;
};

// The recipe of a model with this input: the preset named by `preset` if not empty, else by the config, else by the
// input's size, changed by the config's other fields. The crop is the input; a grey input makes a grey recipe, one of
// two or four channels a recipe that takes no files. A preset for another number of channels needs a mean and a std in
// the config, unless all channels are alike to it.
absl::StatusOr<ChosenRecipe> ChooseRecipe(const v1::Preprocessing& config, absl::string_view preset,
                                          const ModelInfo& model);

}  // namespace resnetd

#endif  // RESNETD_MODELS_CONFIG_H_
