#include "engine/graph/graph.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd::graph {
namespace {

bool ReadsValue(const PostOp& post_op) {
  const Binary* binary = std::get_if<Binary>(&post_op);
  return binary != nullptr && binary->constant == nullptr;
}

size_t PostOpInputs(const Node& node) {
  return static_cast<size_t>(std::count_if(node.post_ops.begin(), node.post_ops.end(), ReadsValue));
}

// Whether the node has the number of inputs that its operator and post-ops need; Concat takes any number.
bool RightInputs(const Node& node) {
  if (node.inputs.size() <= PostOpInputs(node)) return false;
  const size_t own = OperatorInputs(node);
  if (std::holds_alternative<Concat>(node.op)) return true;
  const Binary* binary = std::get_if<Binary>(&node.op);
  return own == (binary != nullptr && binary->constant == nullptr ? 2 : 1);
}

absl::Status Fault(const Node& node, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("node ", Quoted(node.name), " (", OpName(node.op), "): ", what));
}

std::string Pair(Size2 size, absl::string_view between) {
  return size.h == size.w && between != "x" ? absl::StrCat(size.h) : absl::StrCat(size.h, between, size.w);
}

// "3x3/2 pad 1 dilation 2"; what is as usual is left out.
std::string Window(Size2 kernel, Size2 strides, Size2 dilations, Pads2 pads) {
  std::string s = Pair(kernel, "x");
  if (strides != Size2{}) absl::StrAppend(&s, "/", Pair(strides, ","));
  if (pads.top == pads.bottom && pads.left == pads.right) {
    if (pads != Pads2{}) absl::StrAppend(&s, " pad ", Pair({pads.top, pads.left}, ","));
  } else {
    absl::StrAppend(&s, " pads ", pads.top, ",", pads.left, ",", pads.bottom, ",", pads.right);
  }
  if (dilations != Size2{}) absl::StrAppend(&s, " dilation ", Pair(dilations, ","));
  return s;
}

// One function an operator; those without attributes worth a word share the last.
struct Attributes {
  std::string operator()(const Conv& op) const {
    const Dims& w = op.weights->dims;
    std::string s = Window({w[2], w[3]}, op.strides, op.dilations, op.pads);
    if (op.groups > 1) absl::StrAppend(&s, w[1] == 1 ? " depthwise" : absl::StrCat(" groups ", op.groups));
    return s;
  }
  std::string operator()(const MaxPool& op) const {
    return absl::StrCat(Window(op.kernel, op.strides, op.dilations, op.pads), op.ceil_mode ? " ceil" : "");
  }
  std::string operator()(const AveragePool& op) const {
    return absl::StrCat(Window(op.kernel, op.strides, op.dilations, op.pads), op.ceil_mode ? " ceil" : "",
                        op.count_include_pad && op.pads != Pads2{} ? " counting pads" : "");
  }
  std::string operator()(const GroupNorm& op) const { return absl::StrCat("groups ", op.groups); }
  std::string operator()(const LayerNorm& op) const { return absl::StrCat("axis ", op.axis); }
  std::string operator()(const L2Norm& op) const { return absl::StrCat("axis ", op.axis); }
  std::string operator()(const LocalResponseNorm& op) const { return absl::StrCat("of ", op.size); }
  std::string operator()(const Activation& op) const {
    switch (op.kind) {
      case ActivationKind::kLeakyRelu:
      case ActivationKind::kElu:
      case ActivationKind::kPow:
        return absl::StrCat(op.alpha);
      case ActivationKind::kClip:
        return absl::StrCat(op.alpha, "..", op.beta);
      case ActivationKind::kLinear:
        return absl::StrCat(op.alpha, "x", op.beta < 0 ? "" : "+", op.beta);
      default:
        return "";
    }
  }
  std::string operator()(const Binary& op) const {
    if (op.constant != nullptr)
      return absl::StrCat(op.reversed ? "from " : "", "constant ", ToString(op.constant->dims));
    return op.reversed ? "reversed" : "";
  }
  std::string operator()(const Reduce& op) const { return absl::StrCat("axes ", absl::StrJoin(op.axes, ",")); }
  std::string operator()(const Softmax& op) const { return absl::StrCat("axis ", op.axis, op.log ? " log" : ""); }
  std::string operator()(const Concat& op) const { return absl::StrCat("axis ", op.axis); }
  std::string operator()(const Transpose& op) const { return absl::StrCat("to ", absl::StrJoin(op.perm, ",")); }
  std::string operator()(const Slice& op) const {
    std::string s = "[";
    for (size_t i = 0; i < op.start.size(); ++i) {
      absl::StrAppend(&s, i == 0 ? "" : ", ", op.start[i], ":", op.end[i]);
      if (op.step[i] != 1) absl::StrAppend(&s, ":", op.step[i]);
    }
    return absl::StrCat(s, "]");
  }
  std::string operator()(const Pad& op) const {
    std::string s = absl::StrCat(absl::StrJoin(op.before, ","), " before ", absl::StrJoin(op.after, ","), " after");
    if (op.mode != PadMode::kConstant) return absl::StrCat(s, op.mode == PadMode::kEdge ? " edge" : " reflect");
    return op.value == 0 ? s : absl::StrCat(s, " of ", op.value);
  }
  template <typename T>
  std::string operator()(const T&) const {
    return "";
  }
};

}  // namespace

ValueId Graph::AddValue(std::string value_name) {
  values.push_back({std::move(value_name), {}});
  return static_cast<ValueId>(values.size() - 1);
}

const Output* Graph::FindOutput(absl::string_view output) const {
  const auto find = [&](auto&& matches) -> const Output* {
    const auto found = std::find_if(outputs.begin(), outputs.end(), matches);
    return found == outputs.end() ? nullptr : &*found;
  };
  if (const Output* named = find([&](const Output& o) { return o.name == output; })) return named;
  return find(
      [&](const Output& o) { return std::find(o.aliases.begin(), o.aliases.end(), output) != o.aliases.end(); });
}

std::vector<int> Graph::Consumers(ValueId id) const {
  std::vector<int> found;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (std::find(nodes[i].inputs.begin(), nodes[i].inputs.end(), id) != nodes[i].inputs.end()) {
      found.push_back(static_cast<int>(i));
    }
  }
  return found;
}

std::optional<int> Graph::Producer(ValueId id) const {
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].output == id) return static_cast<int>(i);
  }
  return std::nullopt;
}

size_t OperatorInputs(const Node& node) {
  return node.inputs.size() - PostOpInputs(node);
}

std::string AttributesOf(const Op& op) {
  return std::visit(Attributes(), op);
}

std::string ToString(absl::Span<const int64_t> dims) {
  return absl::StrJoin(dims, "x");
}

absl::Status Validate(const Graph& graph) {
  const auto known = [&](ValueId id) {
    return static_cast<int32_t>(id) >= 0 && static_cast<size_t>(id) < graph.values.size();
  };
  if (!known(graph.input)) return absl::InvalidArgumentError("the graph's input does not exist");
  absl::flat_hash_set<ValueId> available = {graph.input};
  for (const Node& node : graph.nodes) {
    if (!RightInputs(node)) return Fault(node, absl::StrCat("cannot have ", node.inputs.size(), " inputs"));
    for (ValueId id : node.inputs) {
      if (!known(id)) return Fault(node, "reads a value that does not exist");
      if (!available.contains(id)) {
        return Fault(node, absl::StrCat("reads ", Quoted(graph.value(id).name), " before any node yields it"));
      }
    }
    if (!known(node.output)) return Fault(node, "yields a value that does not exist");
    if (!available.insert(node.output).second) {
      return Fault(node, absl::StrCat("yields ", Quoted(graph.value(node.output).name), " a second time"));
    }
  }
  if (graph.outputs.empty()) return absl::InvalidArgumentError("the graph has no output");
  absl::flat_hash_set<absl::string_view> names;
  for (const Output& output : graph.outputs) {
    if (!known(output.value) || !available.contains(output.value)) {
      return absl::InvalidArgumentError(absl::StrCat("output ", Quoted(output.name), " is yielded by no node"));
    }
    if (!names.insert(output.name).second) {
      return absl::InvalidArgumentError(absl::StrCat("two outputs are called ", Quoted(output.name)));
    }
  }
  Graph inferred = graph;
  RESNETD_RETURN_IF_ERROR(InferShapes(inferred));
  for (const Node& node : graph.nodes) {
    const Dims& has = graph.value(node.output).dims;
    const Dims& expected = inferred.value(node.output).dims;
    if (has != expected) {
      return Fault(node, absl::StrCat("expected an output of ", ToString(expected), ", got ", ToString(has)));
    }
  }
  return absl::OkStatus();
}

}  // namespace resnetd::graph
