// Models as their clients see them.
#include "server/edge/native/models.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/engine.h"
#include "engine/image/recipe.h"
#include "resnetd/v1/inference.pb.h"
#include "server/edge/native/request.h"
#include "server/model_repository.h"

namespace resnetd::server {
namespace {

v1::ModelSummary::State StateOf(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return v1::ModelSummary::LOADING;
    case ModelState::kReady:
      return v1::ModelSummary::READY;
    case ModelState::kFailed:
      break;
  }
  return v1::ModelSummary::FAILED;
}

v1::Head::Activation ToProto(HeadActivation activation) {
  switch (activation) {
    case HeadActivation::kSoftmax:
      return v1::Head::SOFTMAX;
    case HeadActivation::kSigmoid:
      return v1::Head::SIGMOID;
    case HeadActivation::kNone:
      break;
  }
  return v1::Head::NONE;
}

void Describe(const Head& head, const OutputInfo& output, v1::Head& out) {
  out.set_name(head.name);
  out.set_classes(head.classes);
  out.set_activation(ToProto(head.activation));
  for (const std::string& label : head.labels) out.add_labels(label);
  for (const float threshold : head.thresholds) out.add_thresholds(threshold);
  out.set_evidence(head.evidence);
  for (const std::string& alias : output.aliases) out.add_aliases(alias);
}

void Describe(const Layer& layer, const OutputInfo& output, v1::Layer& out) {
  out.set_name(layer.name);
  for (const std::string& alias : output.aliases) out.add_aliases(alias);
  for (const int64_t size : output.dims) out.add_shape(static_cast<int32_t>(size));
  for (const Space& space : layer.spaces) {
    for (const bool normalized : {false, true}) {
      v1::EmbeddingSpace* one = out.add_spaces();
      one->set_id(normalized ? space.normalized : space.plain);
      one->set_dimensions(space.dimensions);
      one->set_l2_normalized(normalized);
    }
  }
}

void Describe(const Model& model, v1::GetModelResponse& out) {
  const ModelInfo& info = model.engine->info();
  out.set_name(model.name);
  out.set_version(model.version);
  out.set_description(model.description);
  v1::ModelInput& input = *out.mutable_input();
  input.set_height(info.height);
  input.set_width(info.width);
  input.set_channels(info.channels);
  input.add_tensor_types(v1::Tensor::UINT8);
  input.add_tensor_types(v1::Tensor::FLOAT32);
  input.add_tensor_types(v1::Tensor::FLOAT16);
  input.set_resizes_pixels(model.recipe.resize != image::Resize::kNone);
  if (model.recipe.takes_files()) {
    for (const char* format : {"jpeg", "png", "webp"}) input.add_image_formats(format);
  }
  out.set_recipe(image::ToString(model.recipe));
  out.set_recipe_id(model.recipe_id);
  out.set_recipe_hash(model.recipe_hash);
  if (!model.heads.empty()) {
    const Head& first = model.heads.front();
    for (const std::string& label : first.labels) out.add_labels(label);
    out.set_classes(first.classes);
  }
  out.set_embedding_size(info.features);
  out.set_precision(info.precision);
  out.set_cpu_isa(info.isa);
  out.set_weights_sha256(model.sha256);
  out.set_plan_fingerprint(info.plan_fingerprint);
  for (int size : info.batch_sizes) out.add_batch_sizes(size);
  out.set_parameters(info.parameters);
  out.set_multiply_adds(info.multiply_adds);
  out.set_packed_weight_bytes(static_cast<int64_t>(info.packed_weight_bytes));
  for (const Head& head : model.heads) {
    Describe(head, info.outputs[static_cast<size_t>(head.output)], *out.add_heads());
  }
  out.set_no_classifier(model.no_classifier);
  for (const Layer& layer : model.layers) {
    Describe(layer, info.outputs[static_cast<size_t>(layer.output)], *out.add_layers());
  }
}

}  // namespace

absl::StatusOr<std::string> AnswerModels(const ModelRepository& models, const v1::ListModelsRequest&) {
  v1::ListModelsResponse response;
  for (const ModelEntry& entry : models.List()) {
    v1::ModelSummary* summary = response.add_models();
    summary->set_name(entry.name);
    summary->set_version(entry.version);
    summary->set_state(StateOf(entry.state));
    summary->set_error(entry.error);
  }
  return response.SerializeAsString();
}

absl::StatusOr<std::string> AnswerModels(const ModelRepository& models, const v1::GetModelRequest& request) {
  RESNETD_ASSIGN_OR_RETURN(const ServedModel model, FindModel(models, request.model(), request.model_version()));
  v1::GetModelResponse response;
  Describe(*model.model, response);
  return response.SerializeAsString();
}

}  // namespace resnetd::server
