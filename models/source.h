#ifndef RESNETD_MODELS_SOURCE_H_
#define RESNETD_MODELS_SOURCE_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace resnetd {

// The most that a folder may hold.
inline constexpr int kMaxModels = 256;

// The source of one model's files: a folder, or the program itself.
struct ModelSource {
  std::string name, version;
  std::string onnx_file;  // "model.onnx", or what the operator's file is called
  std::string origin;     // for the log: the path as the operator gave it, or "embedded"
  std::string folder;     // its path, where the weights may lie in files of their own; empty for the embedded model
  // A file beside the model by its plain name, of at most so many bytes. NOT_FOUND if there is none.
  std::function<absl::StatusOr<std::string>(absl::string_view file, size_t max_bytes)> read;
};

// The model linked into the program.
ModelSource EmbeddedSource();

// One ONNX file. Its name is the file's, without ".onnx"; that of a file "model.onnx" is its folder's, or with
// <name>/<version>/model.onnx the two folders'. Version "1" where no folder tells. Characters of a name other than
// letters, digits, '.', '_' and '-' become '_': names are labels of metrics and of health checks.
ModelSource FileSource(const std::string& path);

// A folder of models, read.
struct FolderContents {
  std::vector<ModelSource> sources;  // ordered by name
  // A sentence for each folder that somebody may expect to be served and that is not, and why: "'a/v2' is not served:
  // ...". Folders whose names begin with a dot and plain files are nobody's models.
  std::vector<std::string> passed_over;
};

// All models of a folder: <name>/<version>/model.onnx with the highest numeric version of each name, or the folder
// itself if it holds a model.onnx. NOT_FOUND: no folder, or no model in it; INVALID_ARGUMENT: two models of the same
// name, or more than kMaxModels.
absl::StatusOr<FolderContents> FolderSources(const std::string& folder);

// The one model at a path that names an ONNX file, a folder with a model.onnx, or the folder above it with versions.
// NOT_FOUND otherwise.
absl::StatusOr<ModelSource> FindSource(const std::string& path);

}  // namespace resnetd

#endif  // RESNETD_MODELS_SOURCE_H_
