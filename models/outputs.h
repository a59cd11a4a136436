#ifndef RESNETD_MODELS_OUTPUTS_H_
#define RESNETD_MODELS_OUTPUTS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/engine.h"
#include "engine/image/recipe.h"
#include "models/model.h"
#include "resnetd/v1/model_config.pb.h"

// Joins what a model's config and its file say of its outputs. Errors are INVALID_ARGUMENT and name the config's field.
namespace resnetd {

struct ChosenHead {
  Head head;                       // without labels
  bool takes_labels = false;       // those beside the file
  std::optional<int> config = {};  // which of the config's heads says more of it; its labels, if it names some
};

// The number of labels for each head; 0: none.
struct LabelCounts {
  int first = 0;           // for the first head
  std::vector<int> heads;  // for those of the config, in order; may be shorter
};

// Returns what the config and the labels say of the file's outputs, for the engine.
OutputHints HintsOf(const v1::ModelConfig& config, const LabelCounts& labels);

// The first head, the heads of the config in order, then the file's other classifiers and values. Where the first head
// is one of the config's, it is the first of them. One value is the score of a class if the file or the config makes a
// probability of it, or one or two labels name it.
absl::StatusOr<std::vector<ChosenHead>> ChooseHeads(const v1::ModelConfig& config, const ModelInfo& info,
                                                    const LabelCounts& labels = {});

// The head of that name, or else the one that the file calls so; null if there is none.
const Head* FindHead(const std::vector<Head>& heads, const ModelInfo& info, absl::string_view name);

// A sentence on what an output is taken for.
struct OutputNote {
  std::string text;
  bool assumed = false;  // the evidence is weak: somebody who knows the network should look at it
};

// Returns a note on each head, and on the embedding where it is not just what the classifier reads, with the evidence.
std::vector<OutputNote> OutputNotes(const std::vector<Head>& heads, const ModelInfo& info);

// Tells why a model has no heads, and the config's line that would make one.
std::string WhyNoClassifier(const ModelInfo& info);

// All outputs, with the spaces their vectors can be in.
absl::StatusOr<std::vector<Layer>> ChooseLayers(const v1::ModelConfig& config, const ModelInfo& info,
                                                absl::string_view weights_sha256, const image::Recipe& recipe);

}  // namespace resnetd

#endif  // RESNETD_MODELS_OUTPUTS_H_
