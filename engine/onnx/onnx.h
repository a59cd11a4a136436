#ifndef RESNETD_ENGINE_ONNX_ONNX_H_
#define RESNETD_ENGINE_ONNX_ONNX_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/folder.h"
#include "engine/graph/graph.h"
#include "engine/graph/input_kinds.h"
#include "engine/onnx/opsets.h"

namespace resnetd::onnx {

struct ReadSettings {
  Folder folder{};  // the model's, where weights of files beside it lie
  OutputHints hints = {};
  InputSize size = {};  // of images, where the file leaves it free
};

struct OnnxModel {
  graph::Graph graph;
  std::vector<std::string> notes;  // what was made of the file that its owner may want to know, in words
  bool takes_bytes = false;        // the input's type is uint8
  // The files beside the model that weights lie in (external_data.h), in the order in which tensors first name them.
  std::vector<Bytes> external_files;
};

// Reads an ONNX file (opsets 7 to 28, floats of any width, weights inside the file or beside it) with one image input
// and one output or several. All floats are float32 in the graph. Channels that the file leaves free are the first
// convolution's, a height and width those of `settings`, or what the file's own layers fix. A batch size fixed in the
// file is ignored: the graph serves any. Functions of the file are unfolded. The shape arithmetic that exporters emit
// is folded away. What the outputs are is decided by graph::ChooseOutputs() with the hints; a Softmax or Sigmoid that
// ends a classifier stays among the nodes, and no output needs it. The result is validated and has dims. Its weights
// are views into `file` and the files beside it, and keep them, but for those that had to be computed.
//
// INVALID_ARGUMENT begins with the model's name and names node, operator, what was expected and what came. Unsupported
// operators are all counted at once; where there are none, all nodes are told that are unsupported for other reasons.
// Outputs that only rank scores (ArgMax, TopK) are left out, or give way to the scores; `notes` say so.
// Thread-safe.
absl::StatusOr<OnnxModel> ReadOnnx(const Bytes& file, absl::string_view name, const ReadSettings& settings = {});

struct UnsupportedNode {
  std::string name;
  std::string op;  // with its domain where that is not the default one: "com.microsoft.Attention"
};

struct OperatorCheck {
  int opset = 0;
  int nodes = 0;  // all there are
  std::vector<UnsupportedNode> unsupported;
};

// Lists the nodes of a file, its functions unfolded, whose operators ReadOnnx() does not know. INVALID_ARGUMENT: no
// ONNX file of a known opset, or a network of eight-bit integers.
absl::StatusOr<OperatorCheck> CheckOperators(const Bytes& file);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_ONNX_H_
