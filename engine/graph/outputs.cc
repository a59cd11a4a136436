// Each output is judged (output_rule.h); then names are given, and the embedding is found: "logits", "pool", the others
// in the file's order.
#include "engine/graph/outputs.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/graph/output_range.h"
#include "engine/graph/output_rule.h"
#include "engine/graph/output_tail.h"

namespace resnetd::graph {
namespace {

class Arranger {
 public:
  Arranger(const OutputHints& hints, Graph& graph)
      : hints_(hints), graph_(graph), producers_(graph), verdicts_(JudgeOutputs(hints, graph, producers_)) {}

  absl::Status Run();

 private:
  struct Embedding {
    Output output;
    std::optional<ValueId> source = {};  // what has the same values in the file
  };

  const Dims& dims(ValueId id) const { return graph_.value(id).dims; }
  size_t count() const { return graph_.outputs.size(); }
  const Verdict& verdict(size_t i) const { return verdicts_.outputs[i]; }
  bool IsHead(size_t i) const {
    return verdict(i).role == OutputRole::kClassifier || verdict(i).role == OutputRole::kValue;
  }
  std::optional<size_t> FirstOf(OutputRole role) const {
    for (size_t i = 0; i < count(); ++i) {
      if (verdict(i).role == role && IsVector(dims(graph_.outputs[i].value))) return i;
    }
    return std::nullopt;
  }
  bool SameValues(ValueId a, ValueId b) const {
    return BeforeReshapes(graph_, producers_, a) == BeforeReshapes(graph_, producers_, b);
  }

  absl::StatusOr<ValueId> Append(std::string name, Op op, ValueId input) {
    const ValueId value = graph_.AddValue(name);
    graph_.nodes.push_back({std::move(name), std::move(op), {input}, value});
    RESNETD_RETURN_IF_ERROR(InferShape(graph_, graph_.nodes.back()));
    return value;
  }

  // Gives the value an axis if it has none or several: a file may leave out the only axis of one number.
  absl::StatusOr<ValueId> AsVector(ValueId value) {
    if (dims(value).size() == 1) return value;
    return Append(absl::StrCat(graph_.value(value).name, "/vector"), Flatten(), value);
  }

  // A map's average over its pixels, or the vector itself.
  absl::StatusOr<ValueId> Pooled(ValueId value) {
    if (dims(value).size() != 3 || IsVector(dims(value))) return AsVector(value);
    absl::StatusOr<ValueId> mean = Append(absl::StrCat(graph_.value(value).name, "/mean"), GlobalAveragePool(), value);
    return mean.ok() ? AsVector(*mean) : mean;
  }

  absl::StatusOr<Output> Described(size_t i);
  // Says which function `tail` leaves to the output's user, or that its values are probabilities already.
  void SetActivation(const Tail& tail, Output& output);
  // The same scores as a further output of the file, before or behind their softmax, are the same head.
  void MergeWithHead(size_t head, Output& first);
  absl::StatusOr<Embedding> FindEmbedding();
  absl::StatusOr<Embedding> HintedTensor();
  absl::Status NoVector(ValueId value) const;
  absl::StatusOr<Embedding> ReadByHead(const Tail& tail);
  absl::StatusOr<Embedding> AverageOfMap();
  std::optional<size_t> SmallestMap() const;
  bool IsCalled(absl::string_view name) const;
  void Name(absl::string_view ours, absl::string_view otherwise, Output& output);

  const OutputHints& hints_;
  Graph& graph_;
  const Producers producers_;  // of the nodes as they were
  const Verdicts verdicts_;
  std::vector<bool> taken_;       // the file's outputs that are dealt with
  std::vector<Output> arranged_;  // what became of them
};

std::optional<size_t> Arranger::SmallestMap() const {
  std::optional<size_t> smallest;
  const auto pixels = [&](size_t i) {
    const Dims& d = dims(graph_.outputs[i].value);
    return d[1] * d[2];
  };
  for (size_t i = 0; i < count(); ++i) {
    if (dims(graph_.outputs[i].value).size() != 3) continue;
    if (!smallest || pixels(i) <= pixels(*smallest)) smallest = i;
  }
  return smallest;
}

// Whether another output has this name, or keeps it when its turn comes.
bool Arranger::IsCalled(absl::string_view name) const {
  for (size_t i = 0; i < count(); ++i) {
    if (!taken_[i] && graph_.outputs[i].name == name) return true;
  }
  return std::any_of(arranged_.begin(), arranged_.end(), [&](const Output& o) { return o.name == name; });
}

// Gives our name where the file leaves it free. `otherwise`: for what has no name in the file.
void Arranger::Name(absl::string_view ours, absl::string_view otherwise, Output& output) {
  std::string name(ours);
  if (IsCalled(name)) {
    if (!output.name.empty()) return;
    for (name = std::string(otherwise); IsCalled(name);) name += '_';
  }
  std::string before = std::exchange(output.name, name);
  if (before.empty() || before == name) return;
  output.aliases.insert(output.aliases.begin(), std::move(before));
}

absl::StatusOr<Arranger::Embedding> Arranger::HintedTensor() {
  const auto node = std::find_if(graph_.nodes.begin(), graph_.nodes.end(),
                                 [&](const Node& n) { return graph_.value(n.output).name == hints_.embedding; });
  if (node == graph_.nodes.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("embedding: expected one of the model's tensors, got ", Quoted(hints_.embedding)));
  }
  const ValueId value = node->output;
  if (!IsVector(dims(value))) return NoVector(value);
  RESNETD_ASSIGN_OR_RETURN(const ValueId vector, AsVector(value));
  return Embedding{{.name = "",
                    .value = vector,
                    .tensor = hints_.embedding,
                    .aliases = {hints_.embedding},
                    .role = OutputRole::kEmbedding,
                    .evidence = "the config"},
                   value};
}

absl::Status Arranger::NoVector(ValueId value) const {
  return absl::InvalidArgumentError(
      absl::StrCat("embedding: expected a vector, got ", Quoted(hints_.embedding), " of ", ToString(dims(value))));
}

absl::StatusOr<Arranger::Embedding> Arranger::ReadByHead(const Tail& tail) {
  const ValueId read = tail.layer ? graph_.nodes[*tail.layer].inputs[0] : tail.scores;
  const bool whole = IsVector(dims(read));
  const std::string tensor = graph_.value(read).name;
  RESNETD_ASSIGN_OR_RETURN(const ValueId features, Pooled(read));
  return Embedding{{.name = "",
                    .value = features,
                    .tensor = whole ? tensor : "",
                    .role = OutputRole::kEmbedding,
                    .evidence = !tail.layer ? "the head's own values, which come from no layer alone"
                                : whole     ? "the classifier reads it"
                                            : "the average of what the classifier reads"},
                   whole ? std::optional(read) : std::nullopt};
}

absl::StatusOr<Arranger::Embedding> Arranger::AverageOfMap() {
  const std::optional<size_t> smallest = SmallestMap();
  if (!smallest) {
    const Output& first = graph_.outputs.front();
    return absl::InvalidArgumentError(absl::StrCat(
        "output ", Quoted(first.name), ": expected a vector or a map an image, got ", ToString(dims(first.value))));
  }
  RESNETD_ASSIGN_OR_RETURN(const ValueId average, Pooled(graph_.outputs[*smallest].value));
  return Embedding{{.name = "",
                    .value = average,
                    .role = OutputRole::kEmbedding,
                    .evidence = absl::StrCat("the average of output ", Quoted(graph_.outputs[*smallest].name))}};
}

absl::StatusOr<Arranger::Embedding> Arranger::FindEmbedding() {
  std::optional<size_t> chosen;
  if (!hints_.embedding.empty()) {
    for (size_t i = 0; i < count(); ++i) {
      if (graph_.outputs[i].name == hints_.embedding) chosen = i;
    }
    if (!chosen || IsHead(*chosen)) return HintedTensor();
    if (!IsVector(dims(graph_.outputs[*chosen].value))) return NoVector(graph_.outputs[*chosen].value);
  }
  if (!chosen) chosen = FirstOf(OutputRole::kEmbedding);
  if (!chosen && verdicts_.first_head) return ReadByHead(verdict(*verdicts_.first_head).tail);
  if (!chosen) chosen = FirstOf(OutputRole::kUndecided);
  if (!chosen) chosen = FirstOf(OutputRole::kLayer);
  if (!chosen) return AverageOfMap();
  taken_[*chosen] = true;
  RESNETD_ASSIGN_OR_RETURN(Output embedding, Described(*chosen));
  if (embedding.role == OutputRole::kLayer) {
    embedding.role = OutputRole::kEmbedding;
    embedding.evidence = "no classifier's layer is its last";
  }
  return Embedding{std::move(embedding), graph_.outputs[*chosen].value};
}

void Arranger::SetActivation(const Tail& tail, Output& output) {
  output.activation = tail.last ? tail.activation : HeadActivation::kNone;
  output.probabilities =
      output.activation == HeadActivation::kNone &&
      (tail.activation != HeadActivation::kNone || RangeOf(graph_, producers_, output.value).holds_probabilities());
}

void Arranger::MergeWithHead(size_t head, Output& first) {
  bool decided = first.role == OutputRole::kClassifier && verdict(head).tail.activation != HeadActivation::kNone;
  for (size_t i = 0; i < count(); ++i) {
    if (taken_[i] || !IsHead(i) || verdict(i).tail.scores != verdict(head).tail.scores) continue;
    taken_[i] = true;
    if (graph_.outputs[i].name != first.name) first.aliases.push_back(graph_.outputs[i].name);
    first.labelled |= verdict(i).labelled;
    if (decided || verdict(i).tail.activation == HeadActivation::kNone) continue;
    decided = true;
    SetActivation(verdict(i).tail, first);
    first.role = verdict(i).role;
    first.evidence = verdict(i).evidence;
  }
}

absl::StatusOr<Output> Arranger::Described(size_t i) {
  Output output = graph_.outputs[i];
  const Verdict& judged = verdict(i);
  output.role = judged.role;
  output.evidence = judged.evidence;
  output.labelled = judged.labelled;
  if (judged.role == OutputRole::kClassifier || judged.role == OutputRole::kValue) {
    if (judged.tail.scores != output.value) output.tensor.clear();
    output.value = judged.tail.scores;
  }
  SetActivation(judged.role == OutputRole::kClassifier ? judged.tail : Tail(), output);
  if (!IsVector(dims(output.value))) return output;
  RESNETD_ASSIGN_OR_RETURN(output.value, AsVector(output.value));
  return output;
}

absl::Status Arranger::Run() {
  taken_.assign(count(), false);
  if (const std::optional<size_t> head = verdicts_.first_head) {
    RESNETD_ASSIGN_OR_RETURN(Output first, Described(*head));
    taken_[*head] = true;
    MergeWithHead(*head, first);
    first.use = OutputUse::kFirstHead;
    std::erase(first.aliases, kLogits);
    Name(kLogits, kLogits, first);
    arranged_.push_back(std::move(first));
  }
  RESNETD_ASSIGN_OR_RETURN(Embedding embedding, FindEmbedding());
  for (size_t i = 0; i < count(); ++i) {
    const Output& same = graph_.outputs[i];
    if (same.name != kPool || IsHead(i) || !embedding.source) continue;
    if (SameValues(same.value, *embedding.source)) taken_[i] = true;
  }
  embedding.output.use = OutputUse::kEmbedding;
  Name(kPool, "embedding", embedding.output);
  arranged_.push_back(std::move(embedding.output));
  for (size_t i = 0; i < count(); ++i) {
    if (taken_[i]) continue;
    RESNETD_ASSIGN_OR_RETURN(Output further, Described(i));
    arranged_.push_back(std::move(further));
  }
  graph_.outputs = std::move(arranged_);
  return absl::OkStatus();
}

}  // namespace

absl::Status ChooseOutputs(const OutputHints& hints, Graph& graph) {
  return Arranger(hints, graph).Run();
}

void AddOutput(std::string name, ValueId value, Graph& graph) {
  const bool probabilities = RangeOf(graph, Producers(graph), value).holds_probabilities();
  graph.outputs.push_back({.name = name, .value = value, .tensor = name, .probabilities = probabilities});
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
