#ifndef RESNETD_ENGINE_PASSES_LEAVE_FILES_H_
#define RESNETD_ENGINE_PASSES_LEAVE_FILES_H_

#include "absl/types/span.h"
#include "base/bytes.h"
#include "engine/graph/graph.h"

namespace resnetd::passes {

// Copies the weights that are views into a file of which little else is needed any more, so that nothing in the graph
// keeps it. After the other passes: those that fold leave values of their own. True if the graph keeps no file.
bool LeaveFiles(absl::Span<const Bytes> files, graph::Graph& graph);

}  // namespace resnetd::passes

#endif  // RESNETD_ENGINE_PASSES_LEAVE_FILES_H_
