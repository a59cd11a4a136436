#ifndef RESNETD_ENGINE_GRAPH_OUTPUT_NAMES_H_
#define RESNETD_ENGINE_GRAPH_OUTPUT_NAMES_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "engine/graph/output_kinds.h"

namespace resnetd::graph {

// The role that an output's name speaks for, kEmbedding or kClassifier; nullopt where no word in it means something.
// The last that does counts: "features/classifier" classifies. Upper and lower case are alike.
std::optional<OutputRole> RoleByName(absl::string_view name);

}  // namespace resnetd::graph

#endif  // RESNETD_ENGINE_GRAPH_OUTPUT_NAMES_H_
