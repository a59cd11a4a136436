#ifndef RESNETD_MODELS_MODEL_H_
#define RESNETD_MODELS_MODEL_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "engine/engine.h"
#include "engine/image/recipe.h"

// A model as it is served, and what a client gets of the numbers that its network yields.
namespace resnetd {

// A classifier: what Classify can answer from. Or one value that is no class, a regression: then Classify answers with
// it as the only logit, and refuses to call it a probability.
struct Head {
  std::string name;
  OutputId output{};
  int classes = 0;  // the output's width; or 2 over one value x, no and yes, whose logits are then -x and x
  HeadActivation activation = HeadActivation::kSoftmax;
  std::vector<float> thresholds;    // one a class, of its probability, or empty
  std::vector<std::string> labels;  // one a class, or empty
  std::string evidence = {};        // why it is taken for one, in words
  bool probability = false;         // its one value is such already; its logit is log(p / (1 - p))
  std::string sigmoid_line = {};    // the config's line that says that its one value is the score of a class

  bool is_value() const { return classes == 1 && activation == HeadActivation::kNone; }
};

// A kind of vector that Embed can answer with. Those of one space can be compared.
struct Space {
  int dimensions = 0;             // the first so many of the layer's values
  std::string plain, normalized;  // ids: of the values as they are, and scaled to length 1
};

// A tensor of the network that is served. `spaces` has the whole of it first, then what it may be cut to.
struct Layer {
  std::string name;
  OutputId output{};
  std::vector<Space> spaces;
};

// A model that is ready to serve: compiled, tried out, its golden answers checked. Immutable, shared by all threads; a
// call holds the one it was admitted with, so every answer comes from exactly one version.
struct Model {
  std::string name, version, description;
  std::shared_ptr<const Engine> engine;
  image::Recipe recipe;
  std::string recipe_id, recipe_hash;             // a preset's name or "custom"; of all its values
  std::vector<Head> heads;                        // the first is the default; none: no classifier
  std::string no_classifier;                      // why there is none, and what would make one, in words
  std::vector<Layer> layers;                      // one an output of the engine, by OutputId
  std::string sha256;                             // of the ONNX file and then the files with its weights, hex
  std::chrono::milliseconds default_deadline{0};  // of calls that bring none; 0: none

  int classes() const { return heads.empty() ? 0 : heads.front().classes; }  // of the first head
};

struct ClassifyOptions {
  int top_k = 5;                     // 1..classes
  bool logits = false;               // else probabilities
  std::optional<float> threshold{};  // of the kind of score asked for, in place of the head's
  size_t head = 0;                   // of the model's heads
};

struct ScoredClass {
  int index = 0;
  float score = 0;
};

// The logits of the head's classes, from its output's values. `own` holds them where they are not these.
absl::Span<const float> LogitsOf(const Head& head, absl::Span<const float> values, std::array<float, 2>& own);

// Logits as probabilities. A view: the logits, at least one, outlive it. A softmax's sum is computed here, once.
class Probabilities {
 public:
  Probabilities(absl::Span<const float> logits, HeadActivation activation);

  absl::Span<const float> logits() const { return logits_; }
  double operator[](size_t i) const;
  double largest() const;

 private:
  double Of(double logit) const;

  const absl::Span<const float> logits_;
  const HeadActivation activation_;
  const double largest_logit_;
  double sum_ = 0;
};

// The best classes, best first; of equal scores the lower index first. `probabilities`: one a class of the head.
// Without a threshold in the options, classes whose probability is below the head's own are left out.
std::vector<ScoredClass> BestClasses(const Probabilities& probabilities, const Head& head,
                                     const ClassifyOptions& options);

// A copy of the first values, of length 1 if asked for. A zero vector stays zero. `dimensions`: at most values.size().
std::vector<float> Embedding(absl::Span<const float> values, size_t dimensions, bool l2_normalize);

}  // namespace resnetd

#endif  // RESNETD_MODELS_MODEL_H_
