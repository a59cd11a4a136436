// Each output is judged by itself, from its tail (output_tail.h) and the hints; then those that only their last layers
// speak for are compared with each other, names are given, and the embedding is found:
//
//   Judge() -> Compare() -> Arrange(): "logits", "pool", the others in the file's order
#include "engine/graph/outputs.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/graph/output_names.h"
#include "engine/graph/output_tail.h"

namespace resnetd::graph {
namespace {

int64_t Elements(const Dims& dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

struct Judged {
  OutputRole role = OutputRole::kLayer;
  std::string evidence;
  bool by_layer = false;  // only its last layer speaks for it
  Tail tail;
};

class Chooser {
 public:
  Chooser(const OutputHints& hints, Graph& graph) : hints_(hints), graph_(graph), producers_(graph) {}

  absl::Status Run() {
    for (const Output& output : graph_.outputs) judged_.push_back(Judge(output));
    Compare();
    if (hints_.classifies) MakeOneClassify();
    return Arrange();
  }

 private:
  const Dims& dims(ValueId id) const { return graph_.value(id).dims; }

  bool Hinted(const std::string& name) const {
    return std::find(hints_.classifiers.begin(), hints_.classifiers.end(), name) != hints_.classifiers.end();
  }

  // Labels belong to one output: the first that they fit.
  bool FitsLabels(int64_t width) const {
    if (labels_taken_ || hints_.labels == 0) return false;
    return hints_.labels == width || (width == 1 && hints_.labels <= 2);
  }

  Judged Judge(const Output& output) {
    Judged judged;
    judged.tail.scores = output.value;
    if (!IsVector(dims(output.value))) return judged;
    judged.tail = TailOf(graph_, producers_, output.value);
    const int64_t width = Elements(dims(output.value));
    const auto say = [&](OutputRole role, std::string evidence) {
      judged.role = role;
      judged.evidence = std::move(evidence);
      return judged;
    };
    const HeadActivation activation = judged.tail.activation;
    const bool can_classify = CanClassify(graph_, judged.tail);
    if (hints_.embedding == output.name) {
      judged.tail.activation = HeadActivation::kNone;  // it is what the file says, softmax and all
      judged.tail.scores = output.value;
      return say(OutputRole::kEmbedding, "the config");
    }
    if (Hinted(output.name)) return say(OutputRole::kClassifier, "the config");
    if ((can_classify || activation != HeadActivation::kNone) && FitsLabels(width)) {
      labels_taken_ = true;
      labelled_ = judged_.size();
      return say(OutputRole::kClassifier, absl::StrCat(hints_.labels, hints_.labels == 1 ? " label" : " labels"));
    }
    // Over one score a softmax is 1, whatever the score.
    if (width == 1 && activation != HeadActivation::kSigmoid) {
      judged.tail.activation = HeadActivation::kNone;
      return say(OutputRole::kValue, "nothing says that it is the score of a class");
    }
    if (activation == HeadActivation::kSoftmax) return say(OutputRole::kClassifier, "a softmax in the file");
    if (activation == HeadActivation::kSigmoid) return say(OutputRole::kClassifier, "a sigmoid in the file");
    if (activation == HeadActivation::kApplied) {
      return say(OutputRole::kClassifier, "a softmax in the file, which is not its last node");
    }
    if (judged.tail.layer && judged.tail.normalised) {
      return say(OutputRole::kEmbedding, "a normalisation behind its last layer");
    }
    const std::optional<OutputRole> by_name = RoleByName(output.name);
    if (by_name == OutputRole::kEmbedding) return say(OutputRole::kEmbedding, "its name");
    if (!can_classify) return judged;
    if (by_name == OutputRole::kClassifier) return say(OutputRole::kClassifier, "its name");
    judged.by_layer = true;
    const Node& last = graph_.nodes[*judged.tail.layer];
    const bool gemm = std::holds_alternative<Gemm>(last.op);
    const absl::string_view layer = gemm ? "a Gemm" : "a 1x1 convolution";
    if (judged.tail.pooled) {
      return say(OutputRole::kClassifier, absl::StrCat("its last layer, ", layer, " before a global pool"));
    }
    if (ReadsPooled(graph_, producers_, last)) {
      return say(OutputRole::kClassifier, absl::StrCat("its last layer, ", layer, " behind a global pool"));
    }
    return say(OutputRole::kUndecided,
               absl::StrCat("its last layer, ", layer, " behind a flattened map, may yield classes or an embedding"));
  }

  // An output that another's classifier is computed from holds features.
  void Compare() {
    for (size_t i = 0; i < judged_.size(); ++i) {
      if (!judged_[i].by_layer) continue;
      for (size_t other = 0; other < judged_.size(); ++other) {
        const Judged& o = judged_[other];
        const bool classifies = o.role == OutputRole::kClassifier || o.role == OutputRole::kUndecided;
        if (other == i || !classifies || !o.tail.layer) continue;
        if (!ComesFrom(graph_.nodes[*o.tail.layer], judged_[i].tail.scores)) continue;
        judged_[i].role = OutputRole::kEmbedding;
        judged_[i].evidence = absl::StrCat("the classifier ", Quoted(graph_.outputs[other].name), " reads it");
        break;
      }
    }
  }

  bool ComesFrom(const Node& node, ValueId value) const {
    std::vector<bool> needed(graph_.values.size(), false);
    for (const ValueId id : node.inputs) needed[static_cast<size_t>(id)] = true;
    for (auto earlier = graph_.nodes.rbegin(); earlier != graph_.nodes.rend(); ++earlier) {
      if (!needed[static_cast<size_t>(earlier->output)]) continue;
      for (const ValueId id : earlier->inputs) needed[static_cast<size_t>(id)] = true;
    }
    return needed[static_cast<size_t>(value)];
  }

  // The config speaks of a classifier and does not name it.
  void MakeOneClassify() {
    if (FirstOf(OutputRole::kClassifier)) return;
    for (const OutputRole role : {OutputRole::kValue, OutputRole::kUndecided, OutputRole::kEmbedding}) {
      const std::optional<size_t> found = FirstOf(role);
      if (!found || graph_.outputs[*found].name == hints_.embedding) continue;
      judged_[*found].role = OutputRole::kClassifier;
      judged_[*found].evidence = "the config";
      return;
    }
  }

  std::optional<size_t> FirstOf(OutputRole role) const {
    for (size_t i = 0; i < judged_.size(); ++i) {
      if (judged_[i].role == role) return i;
    }
    return std::nullopt;
  }

  std::optional<size_t> FirstHead() const {
    if (labelled_ && judged_[*labelled_].role == OutputRole::kClassifier) return labelled_;
    const std::optional<size_t> classifier = FirstOf(OutputRole::kClassifier);
    return classifier ? classifier : FirstOf(OutputRole::kValue);
  }

  absl::StatusOr<ValueId> Append(std::string name, Op op, ValueId input) {
    const ValueId value = graph_.AddValue(name);
    graph_.nodes.push_back({std::move(name), std::move(op), {input}, value});
    RESNETD_RETURN_IF_ERROR(InferShape(graph_, graph_.nodes.back()));
    return value;
  }

  absl::StatusOr<ValueId> AsVector(ValueId value) {
    if (dims(value).size() < 2) return value;
    return Append(absl::StrCat(graph_.value(value).name, "/vector"), Flatten(), value);
  }

  // A map's average over its pixels, or the vector itself.
  absl::StatusOr<ValueId> Pooled(ValueId value) {
    if (dims(value).size() != 3 || IsVector(dims(value))) return AsVector(value);
    absl::StatusOr<ValueId> mean = Append(absl::StrCat(graph_.value(value).name, "/mean"), GlobalAveragePool(), value);
    return mean.ok() ? AsVector(*mean) : mean;
  }

  static void Rename(absl::string_view name, Output& output) {
    if (output.name != name) output.aliases.push_back(std::exchange(output.name, std::string(name)));
  }

  absl::Status Arrange();
  absl::StatusOr<Output> Described(size_t i);
  // The same scores as a further output of the file, before or behind their softmax, are the same head.
  void MergeWithHead(size_t head, Output& first, std::vector<bool>& taken);
  absl::StatusOr<Output> FindEmbedding(std::optional<size_t> head, std::vector<bool>& taken);
  absl::StatusOr<Output> HintedTensor();
  absl::Status NoVector(ValueId value) const;
  absl::StatusOr<Output> ReadByHead(const Tail& tail);
  absl::StatusOr<Output> AverageOfMap();
  std::optional<size_t> SmallestMap() const;

  const OutputHints& hints_;
  Graph& graph_;
  const Producers producers_;  // of the nodes as they were
  std::vector<Judged> judged_;
  std::optional<size_t> labelled_;
  bool labels_taken_ = false;
};

std::optional<size_t> Chooser::SmallestMap() const {
  std::optional<size_t> smallest;
  const auto pixels = [&](size_t i) {
    const Dims& d = dims(graph_.outputs[i].value);
    return d[1] * d[2];
  };
  for (size_t i = 0; i < judged_.size(); ++i) {
    if (dims(graph_.outputs[i].value).size() != 3) continue;
    if (!smallest || pixels(i) <= pixels(*smallest)) smallest = i;
  }
  return smallest;
}

absl::StatusOr<Output> Chooser::HintedTensor() {
  const auto node = std::find_if(graph_.nodes.begin(), graph_.nodes.end(),
                                 [&](const Node& n) { return graph_.value(n.output).name == hints_.embedding; });
  if (node == graph_.nodes.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("embedding: expected one of the model's tensors, got ", Quoted(hints_.embedding)));
  }
  const ValueId value = node->output;
  if (!IsVector(dims(value))) return NoVector(value);
  RESNETD_ASSIGN_OR_RETURN(const ValueId vector, AsVector(value));
  return Output{.name = std::string(kPool),
                .value = vector,
                .tensor = hints_.embedding,
                .aliases = {hints_.embedding},
                .role = OutputRole::kEmbedding,
                .evidence = "the config"};
}

absl::Status Chooser::NoVector(ValueId value) const {
  return absl::InvalidArgumentError(
      absl::StrCat("embedding: expected a vector, got ", Quoted(hints_.embedding), " of ", ToString(dims(value))));
}

absl::StatusOr<Output> Chooser::ReadByHead(const Tail& tail) {
  const ValueId read = tail.layer ? graph_.nodes[*tail.layer].inputs[0] : tail.scores;
  const bool whole = IsVector(dims(read));
  const std::string tensor = graph_.value(read).name;
  RESNETD_ASSIGN_OR_RETURN(const ValueId features, Pooled(read));
  return Output{.name = std::string(kPool),
                .value = features,
                .tensor = whole ? tensor : "",
                .role = OutputRole::kEmbedding,
                .evidence = whole ? "the classifier reads it" : "the average of what the classifier reads"};
}

absl::StatusOr<Output> Chooser::AverageOfMap() {
  const std::optional<size_t> smallest = SmallestMap();
  if (!smallest) {
    const Output& first = graph_.outputs.front();
    return absl::InvalidArgumentError(absl::StrCat(
        "output ", Quoted(first.name), ": expected a vector or a map an image, got ", ToString(dims(first.value))));
  }
  RESNETD_ASSIGN_OR_RETURN(const ValueId average, Pooled(graph_.outputs[*smallest].value));
  return Output{.name = std::string(kPool),
                .value = average,
                .role = OutputRole::kEmbedding,
                .evidence = absl::StrCat("the average of output ", Quoted(graph_.outputs[*smallest].name))};
}

// `taken`: the file's outputs that are dealt with.
absl::StatusOr<Output> Chooser::FindEmbedding(std::optional<size_t> head, std::vector<bool>& taken) {
  std::optional<size_t> chosen;
  if (!hints_.embedding.empty()) {
    for (size_t i = 0; i < judged_.size() && !chosen; ++i) {
      if (graph_.outputs[i].name == hints_.embedding) chosen = i;
    }
    if (!chosen) return HintedTensor();
    if (!IsVector(dims(graph_.outputs[*chosen].value))) return NoVector(graph_.outputs[*chosen].value);
  }
  if (!chosen) chosen = FirstOf(OutputRole::kEmbedding);
  if (!chosen && head) return ReadByHead(judged_[*head].tail);
  for (const OutputRole role : {OutputRole::kUndecided, OutputRole::kLayer}) {
    for (size_t i = 0; i < judged_.size() && !chosen; ++i) {
      if (judged_[i].role == role && IsVector(dims(graph_.outputs[i].value))) chosen = i;
    }
  }
  if (!chosen) return AverageOfMap();
  taken[*chosen] = true;
  absl::StatusOr<Output> embedding = Described(*chosen);
  if (!embedding.ok()) return embedding;
  Rename(kPool, *embedding);
  if (embedding->role == OutputRole::kLayer) {
    embedding->role = OutputRole::kEmbedding;
    embedding->evidence = "no classifier's layer is its last";
  }
  return embedding;
}

void Chooser::MergeWithHead(size_t head, Output& first, std::vector<bool>& taken) {
  for (size_t i = 0; i < judged_.size(); ++i) {
    const Judged& same = judged_[i];
    if (taken[i] || same.tail.scores != judged_[head].tail.scores) continue;
    if (same.role != OutputRole::kClassifier && same.role != OutputRole::kValue) continue;
    taken[i] = true;
    if (graph_.outputs[i].name != first.name) first.aliases.push_back(graph_.outputs[i].name);
    if (first.activation != HeadActivation::kNone || same.tail.activation == HeadActivation::kNone) continue;
    first.activation = same.tail.activation;
    first.role = same.role;
    first.evidence = same.evidence;
  }
}

absl::StatusOr<Output> Chooser::Described(size_t i) {
  Output output = graph_.outputs[i];
  const Judged& judged = judged_[i];
  output.role = judged.role;
  output.evidence = judged.evidence;
  output.activation = judged.tail.activation;
  if (output.activation == HeadActivation::kSoftmax || output.activation == HeadActivation::kSigmoid) {
    output.tensor.clear();
  }
  if (!IsVector(dims(output.value))) return output;
  RESNETD_ASSIGN_OR_RETURN(const ValueId vector, AsVector(judged.tail.scores));
  output.value = vector;
  return output;
}

absl::Status Chooser::Arrange() {
  std::vector<bool> taken(judged_.size(), false);
  std::vector<Output> arranged;
  const std::optional<size_t> head = FirstHead();
  if (head) {
    RESNETD_ASSIGN_OR_RETURN(Output first, Described(*head));
    Rename(kLogits, first);
    taken[*head] = true;
    MergeWithHead(*head, first, taken);
    arranged.push_back(std::move(first));
  }
  RESNETD_ASSIGN_OR_RETURN(Output embedding, FindEmbedding(head, taken));
  const ValueId features = embedding.value;
  arranged.push_back(std::move(embedding));
  for (size_t i = 0; i < judged_.size(); ++i) {
    if (taken[i] || (graph_.outputs[i].name == kPool && graph_.outputs[i].value == features)) continue;
    RESNETD_ASSIGN_OR_RETURN(Output further, Described(i));
    arranged.push_back(std::move(further));
  }
  graph_.outputs = std::move(arranged);
  return absl::OkStatus();
}

}  // namespace

absl::Status ChooseOutputs(const OutputHints& hints, Graph& graph) {
  return Chooser(hints, graph).Run();
}

void RemoveDeadNodes(Graph& graph) {
  std::vector<bool> alive(graph.values.size(), false);
  for (const Output& output : graph.outputs) alive[static_cast<size_t>(output.value)] = true;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (!alive[static_cast<size_t>(node->output)]) continue;
    for (const ValueId id : node->inputs) alive[static_cast<size_t>(id)] = true;
  }
  std::erase_if(graph.nodes, [&](const Node& node) { return !alive[static_cast<size_t>(node.output)]; });
}

}  // namespace resnetd::graph
