// Graphs as text, for people: `resnetctl inspect --graph` and failing tests.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/echo.h"
#include "base/enum_table.h"
#include "engine/graph/graph.h"

namespace resnetd::graph {
namespace {

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

std::string InWords(const Op& op) {
  const std::string attributes = AttributesOf(op);
  return absl::StrCat(OpName(op), attributes.empty() ? "" : " ", attributes);
}

std::string Line(const Graph& graph, const Node& node) {
  const Value& out = graph.value(node.output);
  std::string s = absl::StrCat("%", Echo(out.name), "{", ToString(out.dims), "} = ", InWords(node.op));
  size_t input = 0;
  const auto next = [&] { return absl::StrCat("%", Echo(graph.value(node.inputs[input++]).name)); };
  absl::StrAppend(&s, " (", next());
  while (input < OperatorInputs(node)) absl::StrAppend(&s, ", ", next());
  absl::StrAppend(&s, ")");
  for (const PostOp& post_op : node.post_ops) {
    absl::StrAppend(&s, " + ", InWords(std::visit([](const auto& o) { return Op(o); }, post_op)));
    const Binary* binary = std::get_if<Binary>(&post_op);
    if (binary != nullptr && binary->constant == nullptr) absl::StrAppend(&s, " ", next());
  }
  return absl::StrCat(s, " \"", Echo(node.name), "\"\n");
}

}  // namespace

std::string AttributesOf(const Op& op) {
  return std::visit(Attributes(), op);
}

std::string ToString(absl::Span<const int64_t> dims) {
  return absl::StrJoin(dims, "x");
}

std::string ToString(const Graph& graph) {
  std::string s =
      absl::StrCat("%", Echo(graph.value(graph.input).name), "{", ToString(graph.value(graph.input).dims), "}\n");
  for (const Node& node : graph.nodes) absl::StrAppend(&s, Line(graph, node));
  for (const Output& output : graph.outputs) {
    static constexpr EnumTable<HeadActivation, const char*> kActivations = {"", " before Softmax", " before Sigmoid",
                                                                            " behind Softmax"};
    absl::StrAppend(&s, Echo(output.name), ": %", Echo(graph.value(output.value).name), kActivations[output.activation],
                    "\n");
  }
  return s;
}

}  // namespace resnetd::graph
