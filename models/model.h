#ifndef RESNETD_MODELS_MODEL_H_
#define RESNETD_MODELS_MODEL_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/image/recipe.h"

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

}  // namespace resnetd

#endif  // RESNETD_MODELS_MODEL_H_
