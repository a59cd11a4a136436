// relu(conv(x) + residual): the convolution clamps as it stores. Its order of operations is fixed (ops.h): bias,
// residual, ReLU.
#include <vector>

#include "engine/passes/passes.h"
#include "engine/passes/uses.h"

namespace resnetd::passes {

absl::Status FuseRelu(graph::Graph& graph) {
  const Uses uses(graph);
  std::vector<bool> fused(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!std::holds_alternative<graph::Relu>(graph.nodes[i].op)) continue;
    const graph::ValueId src = graph.nodes[i].inputs[0];
    if (uses.producer(src) < 0 || uses.readers(src) != 1) continue;
    graph::Node& producer = graph.nodes[uses.producer(src)];
    graph::Conv* conv = std::get_if<graph::Conv>(&producer.op);
    if (conv == nullptr) continue;
    conv->relu = true;
    producer.output = graph.nodes[i].output;
    fused[i] = true;
  }
  size_t i = 0;
  std::erase_if(graph.nodes, [&](const graph::Node&) { return fused[i++]; });
  return absl::OkStatus();
}

}  // namespace resnetd::passes
