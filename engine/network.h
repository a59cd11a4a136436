#ifndef RESNETD_ENGINE_NETWORK_H_
#define RESNETD_ENGINE_NETWORK_H_

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/folder.h"
#include "engine/graph/input_kinds.h"
#include "engine/graph/output_kinds.h"

// The first of the two steps from a file to an engine.
namespace resnetd {

struct ModelBytes {
  Bytes onnx;        // the whole file
  std::string name;  // for messages
  // The file's folder, where weights may lie in files of their own ("external data"); nowhere: they may not.
  Folder folder = {};
};

struct ReadOptions {
  // Tensors to serve beside the model's own outputs, by their names in the ONNX file.
  std::vector<std::string> outputs = {};
  OutputHints hints = {};
  InputSize size = {};  // of images, where the file leaves it free
};

// A network as it was read from its files: checked, folded and fused, for any batch size. Movable; what was moved from
// can be assigned to and destroyed, no more. One thread at a time.
class Network {
 public:
  Network(Network&&) noexcept;
  Network& operator=(Network&&) noexcept;
  ~Network();

  // SHA-256, in hex, of the ONNX file and then the files with its weights, in the order in which the model first names
  // them. A thread computes it beside, perhaps while the network is compiled.
  std::shared_future<std::string> sha256() const;

  // Tells what was made of the file that its owner may want to know, a sentence each.
  const std::vector<std::string>& notes() const;

  struct Content;  // the engine's own
  explicit Network(std::unique_ptr<Content> content);

 private:
  friend class Engine;

  std::unique_ptr<Content> content_;
};

// Reads, checks, folds and fuses a model. Its weights are views into `model.onnx` and the files beside it as far as
// nothing had to be computed, and the network keeps a file only if nearly all of it is needed: a caller that moves the
// bytes in leaves it to the network when they are freed, before its weights are packed or then. INVALID_ARGUMENT: the
// file or an option is wrong, naming node, operator and shape. RESOURCE_EXHAUSTED: memory. No error is worth a retry.
// Thread-safe.
absl::StatusOr<Network> ReadNetwork(ModelBytes model, const ReadOptions& options = {});

}  // namespace resnetd

#endif  // RESNETD_ENGINE_NETWORK_H_
