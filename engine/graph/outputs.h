#ifndef RESNETD_ENGINE_GRAPH_OUTPUTS_H_
#define RESNETD_ENGINE_GRAPH_OUTPUTS_H_

#include "absl/status/status.h"
#include "engine/graph/graph.h"

namespace resnetd::graph {

// Decides what each output of a network as the file has it is, and what it is called: the first classifier becomes
// "logits" and comes first, the embedding becomes "pool" and follows; Output::aliases keep the names of the file, and
// Output::evidence says what decided. The rules, the first that applies:
//
//   the hints; as many labels as the output has values; a softmax or sigmoid behind it (classifier); an L2 norm or a
//   normalisation by channel behind its last layer (embedding); one value (a value); its name; its last layer: a Gemm
//   or a 1x1 convolution behind a global pool, or such a convolution before it, classifies unless another head reads
//   what it yields; behind a flattened map it may be either (kUndecided); anything else is an embedding.
//
// If no output is the embedding, it is the input of the first classifier's last layer, averaged over its pixels. If
// there are maps alone, it is the average of the one with the fewest pixels. The graph has outputs, each with `name`,
// `value` and `tensor`, and dims; nodes may be appended. INVALID_ARGUMENT: a hint names what is not there or cannot be
// an embedding.
absl::Status ChooseOutputs(const OutputHints& hints, Graph& graph);

// Keeps the nodes from which an output can be reached.
void RemoveDeadNodes(Graph& graph);

}  // namespace resnetd::graph

#endif  // RESNETD_ENGINE_GRAPH_OUTPUTS_H_
