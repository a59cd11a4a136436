#ifndef RESNETD_ENGINE_ONNX_EXTERNAL_DATA_H_
#define RESNETD_ENGINE_ONNX_EXTERNAL_DATA_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/folder.h"
#include "engine/onnx/parse.h"

namespace resnetd::onnx {

// All files beside one model together; as much as the model's own file may have.
inline constexpr size_t kMaxExternalBytes = (size_t{1} << 31) - 1;

// The files beside a model that hold elements of its tensors ("external data"; PyTorch's exporter writes them). One
// thread.
//
// A model file is not trusted, and what it says is a path: a file is opened by Folder's rule (base/folder.h). It is
// read into memory whole, once, by whatever names tensors call it, and never mapped: what was checked is what is used,
// whatever happens to the file meanwhile.
class ExternalData {
 public:
  // `folder` is the model's; one that is nowhere: every tensor must lie in the model's file.
  explicit ExternalData(Folder folder) : folder_(std::move(folder)) {}

  // The `size` bytes of a tensor whose data_location is EXTERNAL, a part of its file. INVALID_ARGUMENT says what was
  // expected of the place, and what came. Tensors of one file may not have more bytes than the file: a small model
  // could else be unpacked into a large one.
  absl::StatusOr<Bytes> Find(const TensorProto& tensor, size_t size);
  // The files that have been read, in the order in which tensors first named them.
  const std::vector<Bytes>& files() const { return files_; }

 private:
  struct File {
    dev_t device = 0;
    ino_t inode = 0;
    size_t taken = 0;  // bytes, by tensors
  };

  absl::StatusOr<size_t> Open(const std::string& location);

  const Folder folder_;
  std::vector<Bytes> files_;
  std::vector<File> read_;  // likewise
  absl::flat_hash_map<std::string, size_t> by_location_;
  size_t total_ = 0;  // bytes of all files
};

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_EXTERNAL_DATA_H_
