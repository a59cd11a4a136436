#ifndef RESNETD_MODELS_SOURCE_H_
#define RESNETD_MODELS_SOURCE_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/folder.h"

namespace resnetd {

// The most that a folder may hold.
inline constexpr int kMaxModels = 256;

// The source of one model's files: a folder, or the program itself.
struct ModelSource {
  std::string name, version;
  std::string onnx_file;  // "model.onnx", or what the operator's file is called
  std::string origin;     // for the log: the path as the operator gave it, or "embedded"
  Folder folder;          // where the weights may lie in files of their own; nowhere for the embedded model
  // A file in the model's folder, by its name, of at most so many bytes. Messages begin with that name and contain no
  // other path but the operator's own. NOT_FOUND if there is none; other errors are Folder::OpenRegular()'s and
  // ReadWhole()'s.
  std::function<absl::StatusOr<std::string>(absl::string_view file, size_t max_bytes)> read;
};

// The status with what it is about in front: "model 'net' (models/net/1/model.onnx): ...".
absl::Status About(const ModelSource& source, const absl::Status& status);

// The model linked into the program.
ModelSource EmbeddedSource();

// One ONNX file. Its name is the file's, without ".onnx"; that of a file "model.onnx" is its folder's, or with
// <name>/<version>/model.onnx the two folders'. Version "1" where no folder tells. Characters of a name other than
// letters, digits, '.', '_' and '-' become '_': names are labels of metrics and of health checks.
//
// Files are read below `root`; if that is empty, below the file's folder, or the cache entry that it is a snapshot
// of (Folder::Open()). That there is no such folder, or not below the root, is told when the first file is read.
ModelSource FileSource(const std::string& path, const std::string& root = "");

// A folder of models, read.
struct FolderContents {
  std::vector<ModelSource> sources;  // ordered by name
  // A sentence for each folder that somebody may expect to be served and that is not, and why: "'a/v2' is not served:
  // ...". Folders whose names begin with a dot and plain files are nobody's models.
  std::vector<std::string> passed_over;
};

// All models of a folder: <name>/<version>/model.onnx with the highest numeric version of each name, or the folder
// itself if it holds a model.onnx. NOT_FOUND: no folder, or no model in it; INVALID_ARGUMENT: two models of the same
// name, or more than kMaxModels; or the folder does not lie below `root`, which stands for itself if it is empty.
absl::StatusOr<FolderContents> FolderSources(const std::string& folder, const std::string& root = "");

// The one model at a path that names an ONNX file, a folder with a model.onnx, or the folder above it with versions.
// NOT_FOUND otherwise. `root` as above.
absl::StatusOr<ModelSource> FindSource(const std::string& path, const std::string& root = "");

}  // namespace resnetd

#endif  // RESNETD_MODELS_SOURCE_H_
