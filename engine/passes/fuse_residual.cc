// H = F + x, where F ends in a convolution: the convolution adds x itself (oneDNN's sum or binary post-op), and the sum
// costs no pass over memory of its own.
//
// The convolution moves to where the addition was, so that whatever yields x, a projection or a padded shortcut, has
// run before it. With a projection both operands are convolutions; the one further from the input ends F, since the
// shortcut is the shorter way, and the projection's result becomes what is added to.
#include <algorithm>
#include <utility>
#include <vector>

#include "engine/passes/passes.h"
#include "engine/passes/uses.h"

namespace resnetd::passes {
namespace {

// Longest way from the input, in nodes, by value.
std::vector<int> Depths(const graph::Graph& graph) {
  std::vector<int> depth(graph.values.size(), 0);
  for (const graph::Node& node : graph.nodes) {
    int longest = 0;
    for (graph::ValueId id : node.inputs) longest = std::max(longest, depth[static_cast<size_t>(id)]);
    depth[static_cast<size_t>(node.output)] = longest + 1;
  }
  return depth;
}

}  // namespace

absl::Status FuseResidual(graph::Graph& graph) {
  const Uses uses(graph);
  const std::vector<int> depths = Depths(graph);
  std::vector<bool> moved(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!std::holds_alternative<graph::Add>(graph.nodes[i].op)) continue;
    graph::ValueId branch = graph.nodes[i].inputs[0], shortcut = graph.nodes[i].inputs[1];
    if (branch == shortcut) continue;
    const bool first = SoleConv(graph, uses, branch) != nullptr, second = SoleConv(graph, uses, shortcut) != nullptr;
    if (!first && !second) continue;
    const auto depth = [&](graph::ValueId id) { return depths[static_cast<size_t>(id)]; };
    if (!first || (second && depth(shortcut) > depth(branch))) std::swap(branch, shortcut);

    const int conv_at = uses.producer(branch);
    graph::Node conv = std::move(graph.nodes[conv_at]);
    moved[conv_at] = true;
    std::get<graph::Conv>(conv.op).residual = true;
    conv.inputs.push_back(shortcut);
    conv.output = graph.nodes[i].output;
    graph.nodes[i] = std::move(conv);
  }
  size_t i = 0;
  std::erase_if(graph.nodes, [&](const graph::Node&) { return moved[i++]; });
  return absl::OkStatus();
}

}  // namespace resnetd::passes
