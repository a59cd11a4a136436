#ifndef RESNETD_CLI_MODEL_FILE_H_
#define RESNETD_CLI_MODEL_FILE_H_

#include <string>

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

  ModelBytes bytes() const { return {onnx, source.name, source.folder}; }
  std::string Title() const;  // "resnet50 version 1 (models/resnet50.onnx)"
};

// `path` as for FindSource(); empty: the model in the program.
absl::StatusOr<ModelFile> OpenModel(const std::string& path);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_MODEL_FILE_H_
