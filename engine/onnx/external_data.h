#ifndef RESNETD_ENGINE_ONNX_EXTERNAL_DATA_H_
#define RESNETD_ENGINE_ONNX_EXTERNAL_DATA_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "engine/onnx/parse.h"

namespace resnetd::onnx {

// All files beside one model together; as much as the model's own file may have.
inline constexpr size_t kMaxExternalBytes = (size_t{1} << 31) - 1;

// The files beside a model that hold elements of its tensors ("external data"; PyTorch's exporter writes them). One
// thread.
//
// A model file is not trusted, and what it says is a path: a file is opened only by a plain name, in the model's
// folder, if it is a regular file that has no other name and is no link. It is read into memory whole, once, and never
// mapped: what was checked is what is used, whatever happens to the file meanwhile.
class ExternalData {
 public:
  // `folder` is the path of the model's; empty: every tensor must lie in the model's file.
  explicit ExternalData(std::string folder) : folder_(std::move(folder)) {}

  // The `size` bytes of a tensor whose data_location is EXTERNAL, a part of its file. INVALID_ARGUMENT says what was
  // expected of the place, and what came. Tensors of one file may not have more bytes than the file: a small model
  // could else be unpacked into a large one.
  absl::StatusOr<Bytes> Find(const TensorProto& tensor, size_t size);
  // The files that have been read, in the order in which tensors first named them.
  const std::vector<Bytes>& files() const { return files_; }

 private:
  struct File {
    size_t index = 0;  // among the files
    size_t taken = 0;  // bytes, by tensors
  };

  absl::StatusOr<File*> Open(const std::string& name);

  const std::string folder_;
  std::vector<Bytes> files_;
  absl::flat_hash_map<std::string, File> by_name_;
  size_t total_ = 0;  // bytes of all files
};

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_EXTERNAL_DATA_H_
