#ifndef RESNETD_ENGINE_PASSES_PASSES_H_
#define RESNETD_ENGINE_PASSES_PASSES_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
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
absl::Status RemoveExpands(graph::Graph& graph);
absl::Status RemoveTransposes(graph::Graph& graph);
absl::Status RecogniseActivations(graph::Graph& graph);
absl::Status RecogniseGroupNorm(graph::Graph& graph);
absl::Status RecogniseNorms(graph::Graph& graph);
absl::Status MarkStages(graph::Graph& graph);
absl::Status FoldAffine(graph::Graph& graph);
absl::Status SplitBatchNorm(graph::Graph& graph);
absl::Status FusePostOps(graph::Graph& graph);

// Lists the passes in the order in which they run.
absl::Span<const NamedPass> AllPasses();

// Is shown the graph behind a pass.
using Observer = absl::FunctionRef<void(absl::string_view pass, const graph::Graph& graph)>;

// Runs them all. An error begins with the name of its pass.
absl::Status RunPasses(graph::Graph& graph, Observer observe);
absl::Status RunPasses(graph::Graph& graph);

}  // namespace resnetd::passes

#endif  // RESNETD_ENGINE_PASSES_PASSES_H_
