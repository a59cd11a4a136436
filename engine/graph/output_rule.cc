// Evidence is gathered first, of each output by itself (Gather()) and from comparing them (Compare(), GiveLabels(),
// ObeyConfig()). Then Decide() reads it in one order:
//
//   Gather -> Decide -> Compare -> Decide -> GiveLabels -> Decide -> ObeyConfig -> Decide -> FirstHead
//
// It decides several times because evidence from others depends on what they are taken for; each step only adds.
#include "engine/graph/output_rule.h"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"

namespace resnetd::graph {
namespace {

using enum OutputRole;

// The role that an output's name speaks for, kEmbedding or kClassifier; nullopt where no word in it means something.
// The last that does counts: "features/classifier" classifies. Upper and lower case are alike.
std::optional<OutputRole> RoleByName(absl::string_view name) {
  struct Word {
    absl::string_view text;
    bool whole;  // else a part of a longer one
    OutputRole role;
  };
  static constexpr std::array kWords = std::to_array<Word>({
      {"embed", false, kEmbedding},
      {"emb", true, kEmbedding},
      {"feature", false, kEmbedding},
      {"feat", true, kEmbedding},
      {"feats", true, kEmbedding},
      {"descriptor", false, kEmbedding},
      {"representation", false, kEmbedding},
      {"pool", true, kEmbedding},
      {"pooled", true, kEmbedding},
      {"pooler", true, kEmbedding},
      {"latent", false, kEmbedding},
      {"fc1", true, kEmbedding},
      {"fc6", true, kEmbedding},
      {"fc7", true, kEmbedding},
      {"logit", false, kClassifier},
      {"prob", true, kClassifier},
      {"probs", true, kClassifier},
      {"probab", false, kClassifier},
      {"softmax", false, kClassifier},
      {"score", true, kClassifier},
      {"scores", true, kClassifier},
      {"class", true, kClassifier},
      {"classes", true, kClassifier},
      {"classif", false, kClassifier},
      {"cls", true, kClassifier},
      {"pred", true, kClassifier},
      {"preds", true, kClassifier},
      {"prediction", false, kClassifier},
  });
  const std::string lower = absl::AsciiStrToLower(name);
  std::optional<OutputRole> role;
  size_t role_at = 0;
  for (const Word& word : kWords) {
    for (size_t at = absl::string_view(lower).find(word.text); at != std::string::npos;
         at = absl::string_view(lower).find(word.text, at + 1)) {
      const auto letter = [&](size_t i) { return i < lower.size() && absl::ascii_isalnum(lower[i]); };
      if (word.whole && ((at > 0 && letter(at - 1)) || letter(at + word.text.size()))) continue;
      if (!role || at >= role_at) role = word.role, role_at = at;
    }
  }
  return role;
}

struct Evidence {
  bool vector = false;
  int64_t width = 0;
  Tail tail = {};
  std::optional<OutputRole> by_config = {};
  int labels = 0;            // of its classes; 0: none
  bool names_value = false;  // the one label names its number, and makes no class of it
  std::optional<OutputRole> by_name = {};
  bool can_classify = false, reads_pooled = false, is_gemm = false;  // of its last layer
  std::string read_by = {};  // the classifier that reads what its last layer yields
  bool ranked = false;       // an ArgMax or TopK of the file reads it
  bool spoken_for = false;   // another output says more of the same last layer
};

bool HasActivation(const Evidence& e) {
  return e.tail.activation != HeadActivation::kNone;
}

// Over one score a softmax is 1, whatever the score.
bool SaysProbability(const Evidence& e) {
  return HasActivation(e) && (e.width > 1 || e.tail.activation == HeadActivation::kSigmoid);
}

Verdict ByActivation(const Evidence& e) {
  const absl::string_view what = e.tail.activation == HeadActivation::kSigmoid ? "a sigmoid" : "a softmax";
  return {kClassifier, absl::StrCat(what, " in the file", e.tail.last ? "" : ", which is not its last node")};
}

Verdict ByLastLayer(const Evidence& e) {
  if (!e.can_classify) return {};
  if (!e.read_by.empty()) return {kEmbedding, absl::StrCat("the classifier ", Quoted(e.read_by), " reads it")};
  const std::string layer = absl::StrCat("its last layer, ", e.is_gemm ? "a Gemm" : "a 1x1 convolution");
  if (e.tail.relu_of_pixels) return {kClassifier, absl::StrCat(layer, " before a ReLU and a global pool")};
  if (e.tail.pooled) return {kClassifier, absl::StrCat(layer, " before a global pool")};
  if (e.reads_pooled) return {kClassifier, absl::StrCat(layer, " behind a global pool")};
  return {kUndecided, absl::StrCat(layer, " that reads no global pool, may yield classes or an embedding")};
}

// The rule.
Verdict Decide(const Evidence& e) {
  if (!e.vector) return {};
  if (e.by_config) return {*e.by_config, "the config"};
  if (e.labels > 0) return {kClassifier, absl::StrCat(e.labels, e.labels == 1 ? " label" : " labels")};
  if (SaysProbability(e)) return ByActivation(e);
  if (e.ranked && e.width > 1) return {kClassifier, "the file asks which of its values are the largest"};
  if (e.spoken_for) return {};
  if (e.width == 1) return {kValue, "nothing says that it is the score of a class"};
  if (e.tail.layer && e.tail.normalised) return {kEmbedding, "a normalisation behind its last layer"};
  if (e.by_name) return {*e.by_name, "its name"};
  return ByLastLayer(e);
}

class Judge {
 public:
  Judge(const OutputHints& hints, const Graph& graph, const Producers& producers)
      : hints_(hints), graph_(graph), producers_(producers) {}

  Verdicts Run() {
    for (const Output& output : graph_.outputs) evidence_.push_back(Gather(output));
    verdicts_.resize(evidence_.size());
    DecideAll();
    Compare();
    DecideAll();
    GiveLabels();
    DecideAll();
    const std::vector<size_t> named = NamedByConfig();
    ObeyConfig(named);
    const std::optional<size_t> first = FirstOf(kClassifier);
    for (const size_t i : named) evidence_[i].by_config = kClassifier;
    DecideAll();
    Verdicts all{.first_head = FirstHead(first, named)};
    for (size_t i = 0; i < evidence_.size(); ++i) {
      verdicts_[i].labelled = evidence_[i].labels > 0 || evidence_[i].names_value;
      verdicts_[i].tail = std::move(evidence_[i].tail);
    }
    all.outputs = std::move(verdicts_);
    return all;
  }

 private:
  Evidence Gather(const Output& output) const {
    const Dims& dims = graph_.value(output.value).dims;
    Evidence e;
    e.tail.scores = output.value;
    e.vector = IsVector(dims);
    e.width = std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
    if (!e.vector) return e;
    e.tail = TailOf(graph_, producers_, output.value);
    e.ranked = output.ranked;
    e.by_name = RoleByName(output.name);
    if (output.name == hints_.embedding) e.by_config = kEmbedding;
    if (!e.tail.layer) return e;
    const Node& layer = graph_.nodes[*e.tail.layer];
    e.can_classify = CanClassify(graph_, e.tail);
    e.reads_pooled = ReadsPooled(graph_, producers_, layer);
    e.is_gemm = std::holds_alternative<Gemm>(layer.op);
    return e;
  }

  void DecideAll() {
    for (size_t i = 0; i < evidence_.size(); ++i) verdicts_[i] = Decide(evidence_[i]);
  }

  void Compare() {
    for (size_t i = 0; i < evidence_.size(); ++i) {
      Evidence& e = evidence_[i];
      for (size_t j = 0; j < evidence_.size() && e.tail.layer; ++j) {
        const Evidence& other = evidence_[j];
        if (j == i || !other.tail.layer) continue;
        const OutputRole role = verdicts_[j].role;
        const bool classifies = role == kClassifier || role == kUndecided;
        if (other.tail.layer == e.tail.layer) {
          const bool scaled = HasActivation(other) && !HasActivation(e) && other.tail.scores != e.tail.scores;
          const bool normalised = other.tail.normalised && !e.tail.normalised && !HasActivation(e);
          e.spoken_for |= (scaled && classifies) || (normalised && role == kEmbedding);
        } else if (classifies && e.read_by.empty() && ComesFrom(graph_.nodes[*other.tail.layer], e.tail.scores)) {
          e.read_by = graph_.outputs[j].name;
        }
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

  // How much says that the output has classes; the config is no part of it.
  int Strength(size_t i) const {
    const Evidence& e = evidence_[i];
    if (SaysProbability(e)) return 5;
    if (verdicts_[i].role == kClassifier) return e.by_name == kClassifier ? 4 : 3;
    if (verdicts_[i].role == kUndecided) return 2;
    return verdicts_[i].role == kEmbedding ? 0 : 1;
  }

  // Whether some other output may be what the network is for, so that a number beside it is a regression.
  bool HasOtherHead(size_t i) const {
    for (size_t j = 0; j < verdicts_.size(); ++j) {
      const OutputRole role = verdicts_[j].role;
      if (j != i && (role == kClassifier || role == kValue || role == kUndecided)) return true;
    }
    return false;
  }

  // How well the labels fit: 0 not at all. Two labels of one number are no and yes.
  int Fit(size_t i) const {
    const Evidence& e = evidence_[i];
    if (!e.vector || e.by_config == kEmbedding) return 0;
    if (e.width == 1) {
      if (hints_.labels > 2) return 0;
      return SaysProbability(e) || !HasOtherHead(i) ? 10 : 0;
    }
    if (e.width != hints_.labels) return 0;
    return Strength(i) >= 2 ? 20 + Strength(i) : 1 + Strength(i);
  }

  // Labels belong to one output.
  void GiveLabels() {
    if (hints_.labels == 0) return;
    std::optional<size_t> best;
    int numbers = 0;
    size_t number = 0;
    for (size_t i = 0; i < evidence_.size(); ++i) {
      if (Fit(i) > (best ? Fit(*best) : 0)) best = i;
      if (verdicts_[i].role == kValue) ++numbers, number = i;
    }
    if (best) {
      evidence_[*best].labels = hints_.labels;
    } else if (hints_.labels == 1 && numbers == 1) {
      evidence_[number].names_value = true;
    }
  }

  // In the config's order.
  std::vector<size_t> NamedByConfig() const {
    std::vector<size_t> named;
    for (const std::string& name : hints_.classifiers) {
      for (size_t i = 0; i < evidence_.size(); ++i) {
        if (graph_.outputs[i].name == name && evidence_[i].vector) named.push_back(i);
      }
    }
    return named;
  }

  // The config may speak of a classifier without naming it.
  void ObeyConfig(const std::vector<size_t>& named) {
    if (!hints_.classifies || FirstOf(kClassifier)) return;
    for (const OutputRole role : {kValue, kUndecided, kLayer, kEmbedding}) {
      for (size_t i = 0; i < evidence_.size(); ++i) {
        const bool free =
            evidence_[i].vector && !evidence_[i].by_config && std::find(named.begin(), named.end(), i) == named.end();
        if (verdicts_[i].role != role || !free) continue;
        evidence_[i].by_config = kClassifier;
        DecideAll();
        return;
      }
    }
  }

  // `found`: without the config's `heads`. Those follow it, unless it is one of them: then they come in their order.
  std::optional<size_t> FirstHead(std::optional<size_t> found, const std::vector<size_t>& named) const {
    for (size_t i = 0; i < evidence_.size(); ++i) {
      if (evidence_[i].labels > 0) found = i;
    }
    const bool one_of_them = found && std::find(named.begin(), named.end(), *found) != named.end();
    if (found && (!one_of_them || hints_.classifies)) return found;
    if (!named.empty()) return named.front();
    return FirstOf(kValue);
  }

  std::optional<size_t> FirstOf(OutputRole role) const {
    for (size_t i = 0; i < verdicts_.size(); ++i) {
      if (verdicts_[i].role == role) return i;
    }
    return std::nullopt;
  }

  const OutputHints& hints_;
  const Graph& graph_;
  const Producers& producers_;
  std::vector<Evidence> evidence_;
  std::vector<Verdict> verdicts_;
};

}  // namespace

Verdicts JudgeOutputs(const OutputHints& hints, const Graph& graph, const Producers& producers) {
  return Judge(hints, graph, producers).Run();
}

}  // namespace resnetd::graph
