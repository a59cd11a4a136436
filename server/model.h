#ifndef RESNETD_SERVER_MODEL_H_
#define RESNETD_SERVER_MODEL_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/image/recipe.h"
#include "server/scheduling/policy.h"

namespace resnetd::server {

// A model that is ready to serve: compiled, measured, its golden answers checked. Immutable, shared by all threads; a
// call holds the one it was admitted with, so every answer comes from exactly one version.
struct Model {
  std::string name, version, description;
  scheduling::ModelKey key{};
  std::shared_ptr<const Engine> engine;
  image::Recipe recipe;
  std::vector<std::string> labels;                // one a class, or empty
  std::string sha256;                             // of the ONNX file and then the files with its weights, hex
  std::chrono::milliseconds default_deadline{0};  // of calls that bring none; 0: none
  std::vector<scheduling::BatchCost> costs;       // measured at load
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_MODEL_H_
