#ifndef RESNETD_ENGINE_PASSES_PASSES_H_
#define RESNETD_ENGINE_PASSES_PASSES_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/graph/graph.h"

// Rewrites of a graph that keep what it computes, up to rounding.
namespace resnetd::passes {

using Pass = absl::Status (*)(graph::Graph&);

struct NamedPass {
  const char* name;
  Pass run;
};

// Each takes a valid graph with dims and leaves one. INVALID_ARGUMENT names the node whose weights make no sense.
absl::Status RemoveDead(graph::Graph& graph);
absl::Status RemoveTransposes(graph::Graph& graph);
absl::Status RecogniseActivations(graph::Graph& graph);
absl::Status RecogniseGroupNorm(graph::Graph& graph);
absl::Status MarkStages(graph::Graph& graph);
absl::Status FoldAffine(graph::Graph& graph);
absl::Status SplitBatchNorm(graph::Graph& graph);
absl::Status FusePostOps(graph::Graph& graph);

// Lists the passes in the order in which they run.
absl::Span<const NamedPass> AllPasses();

// Runs them all.
absl::Status RunPasses(graph::Graph& graph);

}  // namespace resnetd::passes

#endif  // RESNETD_ENGINE_PASSES_PASSES_H_
