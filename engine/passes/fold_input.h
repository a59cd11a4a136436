#ifndef RESNETD_ENGINE_PASSES_FOLD_INPUT_H_
#define RESNETD_ENGINE_PASSES_FOLD_INPUT_H_

#include "absl/status/status.h"
#include "engine/graph/graph.h"

namespace resnetd::passes {

// Finds out what a file does to its image before its first layer, and says it in `graph.input_values`.
//
// A file that takes bytes (`takes_bytes`) loses what only scales and shifts the channels: the new input is factor *
// pixel
// + shift, for whoever fills it. A flip of the channels between RGB and BGR goes into the first convolution's weights,
// so that the image's order stays the file's. All else stays in the graph.
//
// Floats are left as they are, for numbers in the range that the file expects may come from outside; but a file that
// divides by 20 or more, or moves the zero by 16 or more, has been trained on pixels, and that is said.
//
// The graph has dims, and its outputs are decided. INVALID_ARGUMENT: a batch normalisation without a variance.
absl::Status FoldInput(bool takes_bytes, graph::Graph& graph);

}  // namespace resnetd::passes

#endif  // RESNETD_ENGINE_PASSES_FOLD_INPUT_H_
