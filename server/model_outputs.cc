#include "server/model_outputs.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/echo.h"
#include "engine/status_macros.h"
#include "server/embedding_space.h"

namespace resnetd::server {
namespace {

absl::Status FieldError(absl::string_view field, absl::string_view expected, absl::string_view got) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": expected ", expected, ", got ", got));
}

std::optional<OutputId> FindOutput(const ModelInfo& info, absl::string_view name) {
  for (size_t i = 0; i < info.outputs.size(); ++i) {
    if (info.outputs[i].name == name) return static_cast<OutputId>(i);
  }
  return std::nullopt;
}

const OutputInfo& OutputOf(const ModelInfo& info, OutputId id) {
  return info.outputs[static_cast<size_t>(id)];
}

absl::StatusOr<OutputId> NamedOutput(const ModelInfo& info, absl::string_view name, absl::string_view field) {
  if (const auto found = FindOutput(info, name)) return *found;
  std::vector<absl::string_view> names;
  for (const OutputInfo& output : info.outputs) names.push_back(output.name);
  return FieldError(field, absl::StrCat("one of the model's outputs, ", QuotedList(names)), Quoted(name));
}

Activation Resolve(v1::HeadConfig::Activation configured, HeadActivation of_file) {
  switch (configured) {
    case v1::HeadConfig::SOFTMAX:
      return Activation::kSoftmax;
    case v1::HeadConfig::SIGMOID:
      return Activation::kSigmoid;
    case v1::HeadConfig::NONE:
      return Activation::kNone;
    default:
      return of_file == HeadActivation::kSigmoid ? Activation::kSigmoid : Activation::kSoftmax;
  }
}

// One for each class: one that stands for all is repeated.
absl::StatusOr<std::vector<float>> ReadThresholds(const google::protobuf::RepeatedField<float>& configured, int classes,
                                                  absl::string_view field) {
  for (const float threshold : configured) {
    if (!std::isfinite(threshold)) return FieldError(field, "finite numbers", absl::StrCat(threshold));
  }
  if (configured.size() == 1) return std::vector<float>(static_cast<size_t>(classes), configured[0]);
  if (!configured.empty() && configured.size() != classes) {
    return FieldError(field, absl::StrCat("one, or one for each of ", classes, " classes"),
                      absl::StrCat(configured.size()));
  }
  return std::vector<float>(configured.begin(), configured.end());
}

// `prefix`: of the fields in messages.
absl::StatusOr<ChosenHead> MakeHead(const v1::HeadConfig& config, OutputId id, const ModelInfo& info,
                                    absl::string_view prefix) {
  const OutputInfo& output = OutputOf(info, id);
  if (output.dims.size() != 1) {
    return FieldError(absl::StrCat(prefix, "output"), "a vector",
                      absl::StrCat(Quoted(output.name), " of ", absl::StrJoin(output.dims, "x")));
  }
  ChosenHead chosen;
  chosen.head.name = output.name;
  chosen.head.output = id;
  chosen.head.classes = output.width;
  chosen.head.activation = Resolve(config.activation(), output.activation);
  RESNETD_ASSIGN_OR_RETURN(chosen.head.thresholds,
                           ReadThresholds(config.thresholds(), output.width, absl::StrCat(prefix, "thresholds")));
  chosen.labels_file = config.labels_file();
  return chosen;
}

// The config's fields beside `heads`, as those of a head.
v1::HeadConfig FirstHead(const v1::ModelConfig& config) {
  v1::HeadConfig first;
  first.set_labels_file(config.labels_file());
  first.set_activation(config.activation());
  *first.mutable_thresholds() = config.thresholds();
  return first;
}

// Of a model without logits.
absl::Status CheckNoFirstHead(const v1::ModelConfig& config) {
  const std::pair<const char*, bool> fields[] = {{"labels_file", !config.labels_file().empty()},
                                                 {"activation", config.activation() != v1::HeadConfig::AUTO},
                                                 {"thresholds", config.thresholds_size() > 0}};
  for (const auto& [field, given] : fields) {
    if (given) return FieldError(field, "none, as the model has no logits", "some");
  }
  return absl::OkStatus();
}

bool IsHead(const std::vector<ChosenHead>& heads, OutputId id) {
  return absl::c_any_of(heads, [id](const ChosenHead& chosen) { return chosen.head.output == id; });
}

// Whole, and what `config` cuts it to, by size.
absl::StatusOr<std::vector<int>> SizesOf(const v1::ModelConfig& config, const OutputInfo& output) {
  std::vector<int> sizes = {output.width};
  for (int i = 0; i < config.truncatable_size(); ++i) {
    const v1::Truncation& truncation = config.truncatable(i);
    if (truncation.layer() != output.name) continue;
    const std::string field = absl::StrCat("truncatable[", i, "].sizes");
    if (truncation.sizes().empty()) return FieldError(field, "at least one", "none");
    for (const int size : truncation.sizes()) {
      if (size < 1 || size >= output.width) {
        return FieldError(field, absl::StrCat("1 to ", output.width - 1, ", less than ", Quoted(output.name), " has"),
                          absl::StrCat(size));
      }
      sizes.push_back(size);
    }
  }
  std::sort(sizes.begin() + 1, sizes.end());
  if (const auto twice = absl::c_adjacent_find(sizes); twice != sizes.end()) {
    return FieldError("truncatable", absl::StrCat("each size of ", Quoted(output.name), " once"),
                      absl::StrCat(*twice, " twice"));
  }
  return sizes;
}

}  // namespace

absl::StatusOr<std::vector<ChosenHead>> ChooseHeads(const v1::ModelConfig& config, const ModelInfo& info) {
  std::vector<ChosenHead> heads;
  if (info.logits != kNoOutput) {
    RESNETD_ASSIGN_OR_RETURN(heads.emplace_back(), MakeHead(FirstHead(config), info.logits, info, ""));
  } else {
    RESNETD_RETURN_IF_ERROR(CheckNoFirstHead(config));
  }
  for (int i = 0; i < config.heads_size(); ++i) {
    const std::string prefix = absl::StrCat("heads[", i, "].");
    const std::string field = absl::StrCat(prefix, "output");
    RESNETD_ASSIGN_OR_RETURN(const OutputId id, NamedOutput(info, config.heads(i).output(), field));
    if (IsHead(heads, id)) {
      return FieldError(field, "each head once", absl::StrCat(Quoted(OutputOf(info, id).name), " again"));
    }
    RESNETD_ASSIGN_OR_RETURN(heads.emplace_back(), MakeHead(config.heads(i), id, info, prefix));
  }
  for (size_t i = 0; i < info.outputs.size(); ++i) {
    const auto id = static_cast<OutputId>(i);
    const OutputInfo& output = OutputOf(info, id);
    if (output.activation == HeadActivation::kNone || output.dims.size() != 1 || IsHead(heads, id)) continue;
    RESNETD_ASSIGN_OR_RETURN(heads.emplace_back(), MakeHead({}, id, info, ""));
  }
  return heads;
}

absl::StatusOr<std::vector<Layer>> ChooseLayers(const v1::ModelConfig& config, const ModelInfo& info,
                                                absl::string_view weights_sha256, const image::Recipe& recipe) {
  for (int i = 0; i < config.truncatable_size(); ++i) {
    RESNETD_RETURN_IF_ERROR(
        NamedOutput(info, config.truncatable(i).layer(), absl::StrCat("truncatable[", i, "].layer")).status());
  }
  std::vector<Layer> layers;
  for (size_t i = 0; i < info.outputs.size(); ++i) {
    const OutputInfo& output = info.outputs[i];
    Layer& layer = layers.emplace_back();
    layer.name = output.name;
    layer.output = static_cast<OutputId>(i);
    RESNETD_ASSIGN_OR_RETURN(const std::vector<int> sizes, SizesOf(config, output));
    for (const int size : sizes) {
      SpaceKey key{weights_sha256, recipe, output.name, info.precision, false, size};
      Space& space = layer.spaces.emplace_back();
      space.dimensions = size;
      space.plain = EmbeddingSpace(key);
      key.l2_normalized = true;
      space.normalized = EmbeddingSpace(key);
    }
  }
  return layers;
}

}  // namespace resnetd::server
