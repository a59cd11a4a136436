#include "engine/passes/passes.h"

#include "absl/strings/str_cat.h"

namespace resnetd::passes {

absl::Span<const NamedPass> AllPasses() {
  static constexpr NamedPass kPasses[] = {
      {"remove-dead", RemoveDead},         // first: what is not served need not be folded
      {"fold-batch-norm", FoldBatchNorm},  // before the fusions, which look for bare convolutions
      {"fuse-residual", FuseResidual},     // before ReLU: a convolution that has its ReLU can take no residual
      {"fuse-relu", FuseRelu},
  };
  return kPasses;
}

absl::Status RunPasses(graph::Graph& graph) {
  for (const NamedPass& pass : AllPasses()) {
    if (absl::Status s = pass.run(graph); !s.ok()) {
      return absl::Status(s.code(), absl::StrCat(pass.name, ": ", s.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace resnetd::passes
