// Graphs as text, for people: `resnetctl inspect --graph` and failing tests.
#include <string>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/enum_table.h"
#include "engine/graph/graph.h"

namespace resnetd::graph {
namespace {

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

std::string ToString(const Graph& graph) {
  std::string s =
      absl::StrCat("%", Echo(graph.value(graph.input).name), "{", ToString(graph.value(graph.input).dims), "}\n");
  for (const Node& node : graph.nodes) absl::StrAppend(&s, Line(graph, node));
  for (const Output& output : graph.outputs) {
    static constexpr EnumTable<HeadActivation, const char*> kActivations = {"", " before Softmax", " before Sigmoid"};
    absl::StrAppend(&s, Echo(output.name), ": %", Echo(graph.value(output.value).name), kActivations[output.activation],
                    output.probabilities ? " of probabilities" : "", "\n");
  }
  return s;
}

}  // namespace resnetd::graph
