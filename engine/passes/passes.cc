#include "engine/passes/passes.h"

#include "absl/strings/str_cat.h"
#include "engine/graph/outputs.h"

namespace resnetd::passes {

// Nodes that no output is computed from need not be folded, fused or compiled.
absl::Status RemoveDead(graph::Graph& graph) {
  graph::RemoveDeadNodes(graph);
  return absl::OkStatus();
}

absl::Span<const NamedPass> AllPasses() {
  static constexpr NamedPass kPasses[] = {
      {"remove-dead", RemoveDead},  // first: what is not served need not be folded
      {"remove-expands", RemoveExpands},
      {"remove-transposes", RemoveTransposes},
      {"recognise-activations", RecogniseActivations},
      {"recognise-group-norm", RecogniseGroupNorm},
      {"recognise-norms", RecogniseNorms},
      {"mark-stages", MarkStages},           // while sums are nodes of their own
      {"fold-affine", FoldAffine},           // before the fusions, which leave no bare layer to fold into
      {"split-batch-norm", SplitBatchNorm},  // those that are left
      {"fuse-post-ops", FusePostOps},
  };
  return kPasses;
}

absl::Status RunPasses(graph::Graph& graph, Observer observe) {
  for (const NamedPass& pass : AllPasses()) {
    if (absl::Status s = pass.run(graph); !s.ok()) {
      return absl::Status(s.code(), absl::StrCat(pass.name, ": ", s.message()));
    }
    observe(pass.name, graph);
  }
  return absl::OkStatus();
}

absl::Status RunPasses(graph::Graph& graph) {
  return RunPasses(graph, [](absl::string_view, const graph::Graph&) {});
}

}  // namespace resnetd::passes
