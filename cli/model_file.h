#ifndef RESNETD_CLI_MODEL_FILE_H_
#define RESNETD_CLI_MODEL_FILE_H_

#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "engine/engine.h"
#include "models/source.h"

namespace resnetd::cli {

// A model that no server serves: a file or folder of this machine, or the one in the program. Its bytes are read, and
// nothing is checked yet.
struct ModelFile {
  ModelSource source;
  Bytes onnx;
  std::string input_size;  // "224x224", where an operator says one; empty: the config may

  ModelBytes bytes() const { return {onnx, source.name, source.folder}; }
  std::string Title() const;  // "resnet50 version 1 (models/resnet50.onnx)"
};

// A model of this machine, as a command's options name it.
struct LocalModel {
  std::string path;        // as for FindSource(); empty: the model in the program
  std::string root;        // --model-root
  std::string input_size;  // --input-size
};

// The options --model-root and --input-size of a command that takes a model of this machine.
CLI::Option* AddModelRoot(CLI::App& app, std::string& root);
CLI::Option* AddInputSize(CLI::App& app, std::string& input_size);

absl::StatusOr<ModelFile> OpenModel(const LocalModel& which);

// How the network is read: with images of the size that the operator says, or else the config, or else the preset that
// is named here or there. INVALID_ARGUMENT: no size, or no config.
absl::StatusOr<ReadOptions> ReadingOf(const ModelFile& model, const std::string& preset = {});

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_MODEL_FILE_H_
