#ifndef RESNETD_ENGINE_GRAPH_OUTPUT_RULE_H_
#define RESNETD_ENGINE_GRAPH_OUTPUT_RULE_H_

#include <optional>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/graph/output_tail.h"

namespace resnetd::graph {

// A verdict says for what an output is taken, and why.
struct Verdict {
  OutputRole role = OutputRole::kLayer;
  std::string evidence = {};  // in words; empty for kLayer
  bool labelled = false;      // the labels beside the file are this output's
  Tail tail = {};             // of vectors; else only `scores`
};

struct Verdicts {
  std::vector<Verdict> outputs = {};      // one an output of the graph
  std::optional<size_t> first_head = {};  // what Classify answers from by default, by index; nullopt: nothing
};

// Says what each output of a network is, by the first of these that applies:
//
//   the hints; labels that fit; a softmax or sigmoid behind it (classifier); one number (a value); an L2 norm or a
//   normalisation by channel behind its last layer (embedding); its name; its last layer: a Gemm or a 1x1 convolution
//   behind a global pool, or such a convolution before it, classifies unless another head reads what it yields; behind
//   the pixels of a map it may be either (kUndecided); anything else is a layer.
//
// Labels are one output's: of those that have as many values, the one for which most else speaks; else of those that
// are one number. Where two outputs come from the same last layer, the one that says more of it speaks for both: what
// is softened or normalised afterwards is a layer.
Verdicts JudgeOutputs(const OutputHints& hints, const Graph& graph, const Producers& producers);

}  // namespace resnetd::graph

#endif  // RESNETD_ENGINE_GRAPH_OUTPUT_RULE_H_
