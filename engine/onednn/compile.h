#ifndef RESNETD_ENGINE_ONEDNN_COMPILE_H_
#define RESNETD_ENGINE_ONEDNN_COMPILE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "engine/engine.h"
#include "engine/graph/graph.h"
#include "engine/onednn/split.h"

// Graph -> Engine. The only folder that knows oneDNN; this header does not show it.
namespace resnetd::onednn {

// Compiles one plan for each of info.batch_sizes (ascending) and info.threads. `info` says what the graph is; the
// packed weights' size, instruction set, precision and fingerprint are filled in here. The graph must be valid, with
// dims inferred; it dies here, and with it its float weights unless others hold them.
// INVALID_ARGUMENT: a node that cannot be lowered. FAILED_PRECONDITION: instruction set below AVX2.
// `split` says which nodes of each plan run image by image: ChooseSplit() does for what is served.
absl::StatusOr<std::shared_ptr<const Engine>> Compile(graph::Graph graph, ModelInfo info, const Splitter& split);

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_COMPILE_H_
