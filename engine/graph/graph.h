#ifndef RESNETD_ENGINE_GRAPH_GRAPH_H_
#define RESNETD_ENGINE_GRAPH_GRAPH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/graph/input_kinds.h"
#include "engine/graph/ops.h"
#include "engine/graph/output_kinds.h"
#include "engine/graph/weights.h"

namespace resnetd::graph {

// Index of a Value in its Graph. Values are never renumbered; removed ones are merely unused.
enum class ValueId : int32_t {};

// A tensor that flows between nodes, float32.
struct Value {
  std::string name;  // the name it has in the ONNX file, for messages and `resnetctl inspect`
  Dims dims;         // set by InferShapes(); empty before
};

// One operator applied to its inputs, and what is done to its result. Every node yields exactly one value.
struct Node {
  std::string name;
  Op op;
  absl::InlinedVector<ValueId, 2> inputs;  // the operator's, then those of `post_ops`
  ValueId output;
  PostOps post_ops = {};  // importers leave them to the passes
};

using resnetd::HeadActivation;
using resnetd::OutputHints;
using resnetd::OutputRole;
using resnetd::OutputUse;

// A value that is served.
struct Output {
  std::string name;
  ValueId value{};
  HeadActivation activation = HeadActivation::kNone;  // the file's, taken away: the value is the scores before it
  std::string tensor = {};  // what holds the same values in the ONNX file; empty for what is not in the file
  std::vector<std::string> aliases = {};  // what the file calls it, where `name` is ours
  OutputRole role = OutputRole::kLayer;
  std::string evidence = {};  // what decided the role, in words
  OutputUse use = OutputUse::kFurther;
  bool labelled = false;       // the labels beside the file are this output's
  bool probabilities = false;  // its values are such as they are, or what the file made of some
  bool ranked = false;         // the file asks which of its values are the largest
};

// Names of the first head and of the embedding, unless the file calls another of its outputs so. Other outputs are
// called as in the ONNX file.
inline constexpr absl::string_view kLogits = "logits";
inline constexpr absl::string_view kPool = "pool";

// A residual network as a list of nodes in topological order. Mutable, verbose, not thread-safe: passes rewrite it, the
// compiler reads it, nothing at run time sees it.
struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;

  ValueId input{};  // the image, dims {C, H, W}
  InputValues input_values = {};
  std::vector<Output> outputs;

  const Value& value(ValueId id) const { return values[static_cast<size_t>(id)]; }
  Value& value(ValueId id) { return values[static_cast<size_t>(id)]; }
  ValueId AddValue(std::string name);

  // The output of that name, or else that alias; null if there is none.
  const Output* FindOutput(absl::string_view output) const;
  // Nodes that read `id`, by index into `nodes`. Linear in the graph.
  std::vector<int> Consumers(ValueId id) const;
  // The node that yields `id`; nullopt for the input.
  std::optional<int> Producer(ValueId id) const;
};

// Sets the dims of every value from the input's and the operators'. INVALID_ARGUMENT names the node, its operator, what
// was expected and what came.
absl::Status InferShapes(Graph& graph);
// The same for one node whose inputs have dims.
absl::Status InferShape(Graph& graph, const Node& node);

// Checks what every pass may rely on: topological order, one producer a value, inputs that exist, operators with the
// right number of inputs, outputs that are produced, dims that agree with InferShapes(). INVALID_ARGUMENT otherwise.
absl::Status Validate(const Graph& graph);

// Inputs that belong to the operator; those behind them belong to the post-ops.
size_t OperatorInputs(const Node& node);

// The input, one line a node, the outputs: `%out{64x56x56} = Conv 3x3 pad 1 (%a) + Add %in + Relu "layer1.0.conv2"`.
std::string ToString(const Graph& graph);
// Tells in a few words what an operator's name does not, e.g. "3x3/2 pad 1 groups 32"; often nothing.
std::string AttributesOf(const Op& op);
std::string ToString(absl::Span<const int64_t> dims);  // "64x56x56"

}  // namespace resnetd::graph

#endif  // RESNETD_ENGINE_GRAPH_GRAPH_H_
