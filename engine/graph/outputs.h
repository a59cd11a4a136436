#ifndef RESNETD_ENGINE_GRAPH_OUTPUTS_H_
#define RESNETD_ENGINE_GRAPH_OUTPUTS_H_

#include "absl/status/status.h"
#include "engine/graph/graph.h"

namespace resnetd::graph {

// Decides what each output of a network as the file has it is (output_rule.h), and what it is called. The first head
// becomes "logits" and comes first, the embedding becomes "pool" and follows, the others come in the file's order;
// Output::aliases keep the names of the file. Where the file calls another of its outputs so, that one keeps the name,
// and the head its own; the embedding its own too, or else "embedding".
//
// If no output is the embedding, it is the input of the first head's last layer, averaged over its pixels. If there are
// maps alone, it is the average of the one with the fewest pixels. The graph has outputs, each with `name`, `value` and
// `tensor`, and dims; nodes may be appended. INVALID_ARGUMENT: a hint names what is not there or cannot be an
// embedding.
absl::Status ChooseOutputs(const OutputHints& hints, Graph& graph);

// Serves a further tensor of the file as it is. The graph may have appended nodes; `value` is none of theirs.
void AddOutput(std::string name, ValueId value, Graph& graph);

// Keeps the nodes from which an output can be reached.
void RemoveDeadNodes(Graph& graph);

}  // namespace resnetd::graph

#endif  // RESNETD_ENGINE_GRAPH_OUTPUTS_H_
