#ifndef RESNETD_ENGINE_ONNX_ONNX_H_
#define RESNETD_ENGINE_ONNX_ONNX_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "engine/graph/graph.h"

namespace resnetd::onnx {

inline constexpr int kOldestOpset = 7;
inline constexpr int kNewestOpset = 22;

struct OnnxModel {
  graph::Graph graph;
  // The files beside the model that weights lie in (external_data.h), in the order in which tensors first name them.
  std::vector<Bytes> external_files;
};

// Reads an ONNX file (opsets 7 to 22, float32, weights inside the file or beside it) with one image input of fixed
// channels, height and width, and one output or several. A batch size fixed in the file is ignored: the graph serves
// any. The shape arithmetic that exporters emit is folded away. What the outputs are is decided by
// graph::ChooseOutputs() with `hints`; a Softmax or Sigmoid that ends a classifier stays among the nodes, and no output
// needs it. The result is validated and has dims. Its weights are views into `file` and the files beside it, and keep
// them, but for those that had to be computed. `folder` is the path where the latter lie; empty: nowhere.
//
// INVALID_ARGUMENT begins with the model's name and names node, operator, what was expected and what came. Unsupported
// operators are all listed at once; where there are none, all nodes that are unsupported for other reasons.
// Thread-safe.
absl::StatusOr<OnnxModel> ReadOnnx(const Bytes& file, absl::string_view name, const std::string& folder = {},
                                   const OutputHints& hints = {});

struct UnsupportedNode {
  std::string name;
  std::string op;  // with its domain where that is not the default one: "com.microsoft.Attention"
};

struct OperatorCheck {
  int opset = 0;
  int nodes = 0;  // all there are
  std::vector<UnsupportedNode> unsupported;
};

// Lists the nodes of a file whose operators ReadOnnx() does not know. INVALID_ARGUMENT: no ONNX file of a known opset.
absl::StatusOr<OperatorCheck> CheckOperators(const Bytes& file);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_ONNX_H_
