#ifndef RESNETD_ENGINE_ONEDNN_LOWERING_LOWERING_H_
#define RESNETD_ENGINE_ONEDNN_LOWERING_LOWERING_H_

#include <dnnl.hpp>

#include "absl/status/statusor.h"
#include "engine/graph/graph.h"
#include "engine/onednn/plan.h"
#include "engine/onednn/split.h"
#include "engine/onednn/weights_cache.h"

namespace resnetd::onednn {

// Images are planes, NCHW, in every plan: oneDNN's direct kernel for few input channels reads planes, and on ResNet's
// first layer it is faster than the NHWC one by more than reordering the pooled result costs.
inline constexpr dnnl::memory::format_tag kImageLayout = dnnl::memory::format_tag::abcd;

// A plan is compiled for a target. `threads` are OpenMP's in the calling thread, `isa` is the library's effective one.
struct Target {
  const dnnl::engine& engine;
  int threads = 1;
  dnnl::cpu_isa isa = dnnl::cpu_isa::isa_default;
};

// The plan of a valid graph for one batch size.
// INVALID_ARGUMENT or RESOURCE_EXHAUSTED names node, operator and shape.
absl::StatusOr<Plan> Lower(const graph::Graph& graph, int batch, const Split& split, const Target& target,
                           WeightsCache& weights);

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_LOWERING_LOWERING_H_
