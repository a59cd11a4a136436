// Features from inside the network, for Embed: "stage1" to "stage4" are the output of the last residual block at each
// of the last four spatial resolutions that have one, averaged over its pixels. A block ends with its sum, or with the
// activation behind it. Nothing is computed for a stage that a run does not ask for.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/passes/passes.h"
#include "engine/passes/uses.h"

namespace resnetd::passes {
namespace {

using graph::Node;
using graph::ValueId;

constexpr size_t kMostStages = 4;

bool IsJoin(const graph::Graph& graph, const Node& node) {
  const auto* binary = std::get_if<graph::Binary>(&node.op);
  if (binary == nullptr || binary->kind != graph::BinaryKind::kAdd || binary->constant != nullptr) return false;
  const graph::Dims& dims = graph.value(node.output).dims;
  return dims.size() == 3 && graph.value(node.inputs[0]).dims == dims && graph.value(node.inputs[1]).dims == dims;
}

// Index of the node that ends the block whose sum is node `join`: the activation that alone reads it, or itself.
size_t EndOfBlock(const graph::Graph& graph, const Uses& uses, size_t join) {
  const ValueId sum = graph.nodes[join].output;
  if (uses.readers(sum) != 1) return join;
  const std::vector<int> readers = graph.Consumers(sum);
  const bool activation = !readers.empty() && std::holds_alternative<graph::Activation>(graph.nodes[readers[0]].op);
  return activation ? static_cast<size_t>(readers[0]) : join;
}

// The last block's end at each resolution, in order of execution.
std::vector<size_t> StageEnds(const graph::Graph& graph) {
  const Uses uses(graph);
  std::vector<size_t> ends;
  const auto pixels = [&](size_t node) {
    const graph::Dims& dims = graph.value(graph.nodes[node].output).dims;
    return std::pair(dims[1], dims[2]);
  };
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!IsJoin(graph, graph.nodes[i])) continue;
    std::erase_if(ends, [&](size_t end) { return pixels(end) == pixels(i); });
    ends.push_back(EndOfBlock(graph, uses, i));
  }
  if (ends.size() > kMostStages) ends.erase(ends.begin(), ends.end() - kMostStages);
  return ends;
}

}  // namespace

absl::Status MarkStages(graph::Graph& graph) {
  const std::vector<size_t> ends = StageEnds(graph);
  std::vector<Node> nodes;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const ValueId map = graph.nodes[i].output;
    nodes.push_back(std::move(graph.nodes[i]));
    const auto stage = std::find(ends.begin(), ends.end(), i);
    if (stage == ends.end()) continue;
    const std::string name = absl::StrCat("stage", stage - ends.begin() + 1);
    if (graph.FindOutput(name) != nullptr) continue;  // the file calls one of its own so
    // The pool stands at once behind the map, so that it need not be kept.
    const ValueId pooled = graph.AddValue(absl::StrCat(name, "/map")), vector = graph.AddValue(name);
    for (Node node :
         {Node{name, graph::GlobalAveragePool(), {map}, pooled}, Node{name, graph::Flatten(), {pooled}, vector}}) {
      RESNETD_RETURN_IF_ERROR(graph::InferShape(graph, node));
      nodes.push_back(std::move(node));
    }
    graph.outputs.push_back({name, vector});
  }
  graph.nodes = std::move(nodes);
  return absl::OkStatus();
}

}  // namespace resnetd::passes
