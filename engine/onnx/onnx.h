#ifndef RESNETD_ENGINE_ONNX_ONNX_H_
#define RESNETD_ENGINE_ONNX_ONNX_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/graph/graph.h"

namespace resnetd::onnx {

inline constexpr int kOldestOpset = 7;
inline constexpr int kNewestOpset = 22;

// The folder of tensors that the model's file does not hold itself (external_data.h).
struct Folder {
  std::string path;                                               // empty: nowhere
  std::function<void(absl::Span<const std::byte>)> on_file = {};  // is shown each file's bytes; may be null
};

// Reads an ONNX file (opsets 7 to 22, float32, weights inside the file or beside it) with one image input of fixed
// channels, height and width, and one output or several. A batch size fixed in the file is ignored: the graph serves
// any. The shape arithmetic that exporters emit is folded away. What the outputs are is decided by
// graph::ChooseOutputs() with `hints`; a Softmax or Sigmoid that ends a classifier stays among the nodes, and no output
// needs it. The result is validated and has dims.
//
// INVALID_ARGUMENT begins with the model's name and names node, operator, what was expected and what came. Unsupported
// operators are all listed at once; where there are none, all nodes that are unsupported for other reasons. `file` is
// not needed afterwards. Thread-safe.
absl::StatusOr<graph::Graph> ReadOnnx(absl::Span<const std::byte> file, absl::string_view name,
                                      const Folder& folder = {}, const OutputHints& hints = {});

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
absl::StatusOr<OperatorCheck> CheckOperators(absl::Span<const std::byte> file);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_ONNX_H_
