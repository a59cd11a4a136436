#include "models/outputs.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/echo.h"
#include "base/enum_table.h"
#include "base/status_macros.h"
#include "models/embedding_space.h"

namespace resnetd {
namespace {

absl::Status FieldError(absl::string_view field, absl::string_view expected, absl::string_view got) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": expected ", expected, ", got ", got));
}

const OutputInfo& OutputOf(const ModelInfo& info, OutputId id) {
  return info.outputs[static_cast<size_t>(id)];
}

bool IsAlias(const OutputInfo& output, absl::string_view name) {
  return absl::c_linear_search(output.aliases, name);
}

bool IsHead(const OutputInfo& output) {
  return output.role == OutputRole::kClassifier || output.role == OutputRole::kValue ||
         output.activation != HeadActivation::kNone;
}

// Returns the file's name of an output.
const std::string& FileName(const OutputInfo& output) {
  return output.aliases.empty() ? output.name : output.aliases.front();
}

// Finds an output by name. A declared tensor and the scores that its softmax was taken from may share one: then the
// head.
OutputId FindHeadOutput(const ModelInfo& info, absl::string_view name) {
  const auto head = absl::c_find_if(
      info.outputs, [&](const OutputInfo& o) { return IsHead(o) && (o.name == name || IsAlias(o, name)); });
  return head == info.outputs.end() ? FindOutput(info, name) : static_cast<OutputId>(head - info.outputs.begin());
}

absl::StatusOr<OutputId> NamedOutput(const ModelInfo& info, absl::string_view name, absl::string_view field) {
  if (const OutputId found = FindHeadOutput(info, name); found != kNoOutput) return found;
  std::vector<absl::string_view> names;
  for (const OutputInfo& output : info.outputs) names.push_back(output.name);
  return FieldError(field, absl::StrCat("one of the model's outputs, ", QuotedList(names)), Quoted(name));
}

// Several scores get a softmax unless something else is said; a single one does not, since its softmax is always 1. A
// value that is a probability already stays as it is, whatever is said.
absl::StatusOr<HeadActivation> Resolve(v1::HeadConfig::Activation configured, const OutputInfo& output, int labels,
                                       absl::string_view field) {
  const bool one = output.width == 1;
  if (one && configured == v1::HeadConfig::SOFTMAX) {
    return FieldError(field, "SIGMOID or NONE for one score, of which a softmax is always 1", "SOFTMAX");
  }
  if (configured == v1::HeadConfig::NONE || (output.probabilities && !one)) return HeadActivation::kNone;
  if (configured == v1::HeadConfig::SOFTMAX) return HeadActivation::kSoftmax;
  if (configured == v1::HeadConfig::SIGMOID || output.activation == HeadActivation::kSigmoid) {
    return HeadActivation::kSigmoid;
  }
  if (!one) return HeadActivation::kSoftmax;
  const bool probability = output.probabilities && output.role != OutputRole::kValue;
  return labels > 0 || probability ? HeadActivation::kSigmoid : HeadActivation::kNone;
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

// `labels`: how many there are for its classes. `prefix`: of the fields in messages.
absl::StatusOr<ChosenHead> MakeHead(const v1::HeadConfig& config, OutputId id, const ModelInfo& info, int labels,
                                    absl::string_view prefix) {
  const OutputInfo& output = OutputOf(info, id);
  if (output.dims.size() != 1) {
    return FieldError(absl::StrCat(prefix, "output"), "a vector",
                      absl::StrCat(Quoted(output.name), " of ", absl::StrJoin(output.dims, "x")));
  }
  ChosenHead chosen;
  Head& head = chosen.head;
  head.name = output.name;
  head.output = id;
  RESNETD_ASSIGN_OR_RETURN(head.activation,
                           Resolve(config.activation(), output, labels, absl::StrCat(prefix, "activation")));
  head.probability = output.width == 1 && output.probabilities && head.activation == HeadActivation::kSigmoid;
  head.classes = output.width == 1 && labels == 2 && head.activation == HeadActivation::kSigmoid ? 2 : output.width;
  RESNETD_ASSIGN_OR_RETURN(head.thresholds,
                           ReadThresholds(config.thresholds(), head.classes, absl::StrCat(prefix, "thresholds")));
  const bool by_labels = output.width == 1 && labels > 0 && output.activation == HeadActivation::kNone;
  head.evidence = config.activation() != v1::HeadConfig::AUTO || !config.output().empty() ? "the config"
                  : by_labels ? absl::StrCat(labels, labels == 1 ? " label" : " labels")
                              : output.evidence;
  head.sigmoid_line = id == info.logits && config.output().empty()
                          ? "activation: SIGMOID"
                          : absl::StrCat("heads { output: \"", FileName(output), "\" activation: SIGMOID }");
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

bool SaysOfFirstHead(const v1::ModelConfig& config) {
  return !config.labels_file().empty() || config.activation() != v1::HeadConfig::AUTO || config.thresholds_size() > 0;
}

// Returns which of the config's heads is the first one. -1: none; the fields beside them are of the first head then, as
// they are where they are given.
int FirstAmongHeads(const v1::ModelConfig& config, const ModelInfo& info) {
  if (info.logits == kNoOutput || SaysOfFirstHead(config)) return -1;
  for (int i = 0; i < config.heads_size(); ++i) {
    if (FindHeadOutput(info, config.heads(i).output()) == info.logits) return i;
  }
  return -1;
}

// Which output has the labels beside the file: what they fit, or else the first head, which then refuses them.
OutputId LabelledOutput(const ModelInfo& info) {
  const auto labelled = absl::c_find_if(info.outputs, [](const OutputInfo& o) { return o.labelled; });
  return labelled == info.outputs.end() ? info.logits : static_cast<OutputId>(labelled - info.outputs.begin());
}

// How many of them are names of its classes.
int ClassLabels(const LabelCounts& labels, const OutputInfo& output) {
  return output.labelled && output.role == OutputRole::kClassifier ? labels.first : 0;
}

int LabelsOf(const LabelCounts& labels, int head) {
  const auto i = static_cast<size_t>(head);
  return i < labels.heads.size() ? labels.heads[i] : 0;
}

// Checks the config of a model without logits.
absl::Status CheckNoFirstHead(const v1::ModelConfig& config) {
  const std::pair<const char*, bool> fields[] = {{"labels_file", !config.labels_file().empty()},
                                                 {"activation", config.activation() != v1::HeadConfig::AUTO},
                                                 {"thresholds", config.thresholds_size() > 0}};
  for (const auto& [field, given] : fields) {
    if (given) return FieldError(field, "none, as the model has no logits", "some");
  }
  return absl::OkStatus();
}

bool IsChosen(const std::vector<ChosenHead>& heads, OutputId id) {
  return absl::c_any_of(heads, [id](const ChosenHead& chosen) { return chosen.head.output == id; });
}

// Whole, and what `config` cuts it to, by size.
absl::StatusOr<std::vector<int>> SizesOf(const v1::ModelConfig& config, const ModelInfo& info, OutputId id) {
  const OutputInfo& output = OutputOf(info, id);
  std::vector<int> sizes = {output.width};
  for (int i = 0; i < config.truncatable_size(); ++i) {
    const v1::Truncation& truncation = config.truncatable(i);
    if (FindOutput(info, truncation.layer()) != id) continue;
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

OutputHints HintsOf(const v1::ModelConfig& config, const LabelCounts& labels) {
  OutputHints hints;
  hints.embedding = config.embedding();
  for (const v1::HeadConfig& head : config.heads()) hints.classifiers.push_back(head.output());
  hints.classifies = SaysOfFirstHead(config);
  hints.labels = labels.first;
  return hints;
}

absl::StatusOr<std::vector<ChosenHead>> ChooseHeads(const v1::ModelConfig& config, const ModelInfo& info,
                                                    const LabelCounts& labels) {
  std::vector<ChosenHead> heads;
  const OutputId labelled = LabelledOutput(info);
  const auto add = [&](const v1::HeadConfig& of, std::optional<int> index, OutputId id) -> absl::Status {
    const bool own = !of.labels_file().empty() && index;
    const int count = own ? LabelsOf(labels, *index) : ClassLabels(labels, OutputOf(info, id));
    const std::string prefix = index ? absl::StrCat("heads[", *index, "].") : "";
    RESNETD_ASSIGN_OR_RETURN(heads.emplace_back(), MakeHead(of, id, info, count, prefix));
    heads.back().takes_labels = !own && id == labelled;
    if (own) heads.back().config = index;
    return absl::OkStatus();
  };
  const int first = FirstAmongHeads(config, info);
  if (first >= 0) {
    RESNETD_RETURN_IF_ERROR(add(config.heads(first), first, info.logits));
  } else if (info.logits != kNoOutput) {
    RESNETD_RETURN_IF_ERROR(add(FirstHead(config), std::nullopt, info.logits));
  } else {
    RESNETD_RETURN_IF_ERROR(CheckNoFirstHead(config));
  }
  for (int i = 0; i < config.heads_size(); ++i) {
    if (i == first) continue;
    const std::string field = absl::StrCat("heads[", i, "].output");
    RESNETD_ASSIGN_OR_RETURN(const OutputId id, NamedOutput(info, config.heads(i).output(), field));
    if (IsChosen(heads, id)) {
      return FieldError(field, "each head once", absl::StrCat(Quoted(OutputOf(info, id).name), " again"));
    }
    RESNETD_RETURN_IF_ERROR(add(config.heads(i), i, id));
  }
  for (size_t i = 0; i < info.outputs.size(); ++i) {
    const auto id = static_cast<OutputId>(i);
    const OutputInfo& output = OutputOf(info, id);
    if (!IsHead(output) || output.dims.size() != 1 || IsChosen(heads, id)) continue;
    RESNETD_RETURN_IF_ERROR(add({}, std::nullopt, id));
  }
  return heads;
}

const Head* FindHead(const std::vector<Head>& heads, const ModelInfo& info, absl::string_view name) {
  auto found = absl::c_find_if(heads, [&](const Head& head) { return head.name == name; });
  if (found == heads.end()) {
    found = absl::c_find_if(heads, [&](const Head& head) { return IsAlias(OutputOf(info, head.output), name); });
  }
  return found == heads.end() ? nullptr : &*found;
}

namespace {

// Returns the file's name where ours is another: " (the file's 'y')".
std::string NameInFile(const OutputInfo& output) {
  return output.aliases.empty() ? "" : absl::StrCat(" (the file's ", Quoted(output.aliases.front()), ")");
}

std::string WhatItIs(const Head& head) {
  static constexpr EnumTable<HeadActivation, absl::string_view> kActivations = {"scores as they are", "softmax",
                                                                                "sigmoid"};
  if (head.is_value()) return "one value";
  return absl::StrCat(head.classes, head.classes == 1 ? " class, " : " classes, ",
                      head.probability ? "a probability as it is" : kActivations[head.activation]);
}

}  // namespace

std::vector<OutputNote> OutputNotes(const std::vector<Head>& heads, const ModelInfo& info) {
  std::vector<OutputNote> notes;
  for (const Head& head : heads) {
    const OutputInfo& output = OutputOf(info, head.output);
    OutputNote& note = notes.emplace_back();
    note.text = absl::StrCat("head ", Quoted(head.name), NameInFile(output), ": ", WhatItIs(head),
                             head.evidence.empty() ? ""
                             : head.is_value()     ? ", as "
                                                   : ", by ",
                             head.evidence);
    note.assumed = head.evidence == output.evidence && (head.is_value() || absl::StartsWith(head.evidence, "its last"));
    if (!note.assumed) continue;
    if (head.is_value()) {
      absl::StrAppend(&note.text, "; \"", head.sigmoid_line, "\" in config.textproto makes a probability of it");
    } else {
      absl::StrAppend(&note.text, "; \"embedding: ", Quoted(FileName(output)),
                      "\" in config.textproto if it is an embedding");
    }
  }
  const OutputInfo& embedding = OutputOf(info, info.embedding);
  if (!heads.empty() && !embedding.evidence.empty() && embedding.evidence != "the classifier reads it") {
    notes.push_back({absl::StrCat("embedding ", Quoted(embedding.name), NameInFile(embedding), ": ", embedding.width,
                                  " values, by ", embedding.evidence)});
  }
  if (heads.empty()) {
    notes.push_back({absl::StrCat("no classifier: ", WhyNoClassifier(info)), embedding.role == OutputRole::kUndecided});
  }
  return notes;
}

std::string WhyNoClassifier(const ModelInfo& info) {
  const OutputInfo& output = OutputOf(info, info.embedding);
  const std::string& name = FileName(output);
  if (output.role == OutputRole::kUndecided) {
    return absl::StrCat("its output ", Quoted(name), " of ", output.width, " values: ", output.evidence,
                        "; say \"activation: SOFTMAX\" in config.textproto, or put labels.txt beside it, if they are "
                        "classes, \"embedding: ",
                        Quoted(name), "\" if not");
  }
  return absl::StrCat("its output ", Quoted(name), " of ", output.width, " values is an embedding, by ",
                      output.evidence, "; \"heads { output: ", Quoted(name),
                      " }\" in config.textproto makes classes of it");
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
    RESNETD_ASSIGN_OR_RETURN(const std::vector<int> sizes, SizesOf(config, info, layer.output));
    for (const int size : sizes) {
      SpaceKey key{weights_sha256, recipe, output.name, info.precision, false, size};
      Space& space = layer.spaces.emplace_back();
      space.dimensions = size;
      space.plain = EmbeddingSpace(key);
      key.l2_normalized = !(output.unit_length && size == output.width);  // or else there is nothing left to scale
      space.normalized = EmbeddingSpace(key);
    }
  }
  return layers;
}

}  // namespace resnetd
