#ifndef RESNETD_SERVER_MODEL_OUTPUTS_H_
#define RESNETD_SERVER_MODEL_OUTPUTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/engine.h"
#include "engine/image/recipe.h"
#include "resnetd/v1/model_config.pb.h"
#include "server/model.h"

// What a model's config and its file say of its outputs. Errors are INVALID_ARGUMENT and name the config's field.
namespace resnetd::server {

struct ChosenHead {
  Head head;                // without labels
  std::string labels_file;  // as the config names it; may be empty
};

// "logits" if the model has it, the heads of the config in order, then outputs that the file ends in a softmax or
// sigmoid.
absl::StatusOr<std::vector<ChosenHead>> ChooseHeads(const v1::ModelConfig& config, const ModelInfo& info);

// All outputs, with the spaces their vectors can be in.
absl::StatusOr<std::vector<Layer>> ChooseLayers(const v1::ModelConfig& config, const ModelInfo& info,
                                                absl::string_view weights_sha256, const image::Recipe& recipe);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_MODEL_OUTPUTS_H_
