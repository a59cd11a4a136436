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

struct ChosenRecipe {
  image::Recipe recipe;
  bool assumed = false;  // neither the config nor the operator said: the preset was chosen by the input's size
  std::string preset;    // where it started from
  std::string note;      // what the file's own normalisation means, in words; empty: the file has none
  // Nobody said how to resize for an input that is not square, so images are scaled to it exactly, and nothing is cut.
  bool exact_by_default = false;
};

// "224x224", height x width, as --input-size and input_size in the config have it. `from` names the option or field in
// the INVALID_ARGUMENT.
absl::StatusOr<InputSize> ParseInputSize(absl::string_view text, absl::string_view from);

// The size of images for a file that leaves it free: the option's if not empty, else the config's; and the usual one,
// of the preset that the option or the config names. INVALID_ARGUMENT as above.
absl::StatusOr<InputSize> ChooseInputSize(const v1::ModelConfig& config, absl::string_view option,
                                          absl::string_view preset);

// The recipe of a model with this input: the preset named by `preset` if not empty, else by the config, else by the
// input's size, changed by the config's other fields. The crop is the input; a grey input makes a grey recipe, one of
// two or four channels a recipe that takes no files. A preset for another number of channels needs a mean and a std in
// the config, unless all channels are alike to it.
//
// A file that takes bytes normalises them itself. Its normalisation is the recipe's then, and the preset's is not: the
// config may say how images are resized and the file's order of colours, but a scale, mean or std is INVALID_ARGUMENT,
// unless it is that of "none", which changes nothing. For a file of floats that brings pixels to another range itself,
// pixels are assumed where nothing is said of a recipe.
absl::StatusOr<ChosenRecipe> ChooseRecipe(const v1::Preprocessing& config, absl::string_view preset,
                                          const ModelInfo& model);

}  // namespace resnetd

#endif  // RESNETD_MODELS_CONFIG_H_
