#ifndef RESNETD_SERVER_MODEL_H_
#define RESNETD_SERVER_MODEL_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/image/recipe.h"
#include "server/scheduling/policy.h"

namespace resnetd::server {

// What makes probabilities of logits. kNone: they are what they are.
enum class Activation : uint8_t { kSoftmax, kSigmoid, kNone };

// A classifier: what Classify can answer from.
struct Head {
  std::string name;
  OutputId output{};
  int classes = 0;
  Activation activation = Activation::kSoftmax;
  std::vector<float> thresholds;    // one a class, of its probability, or empty
  std::vector<std::string> labels;  // one a class, or empty
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

// A model that is ready to serve: compiled, measured, its golden answers checked. Immutable, shared by all threads; a
// call holds the one it was admitted with, so every answer comes from exactly one version.
struct Model {
  std::string name, version, description;
  scheduling::ModelKey key{};
  std::shared_ptr<const Engine> engine;
  image::Recipe recipe;
  std::string recipe_id, recipe_hash;             // a preset's name or "custom"; of all its values
  std::vector<Head> heads;                        // the first is the default; none: no classifier
  std::vector<Layer> layers;                      // one an output of the engine, by OutputId
  std::string sha256;                             // of the ONNX file and then the files with its weights, hex
  std::chrono::milliseconds default_deadline{0};  // of calls that bring none; 0: none
  std::vector<scheduling::BatchCost> costs;       // measured at load
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_MODEL_H_
