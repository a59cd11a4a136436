#ifndef RESNETD_ENGINE_GRAPH_RESIDUAL_H_
#define RESNETD_ENGINE_GRAPH_RESIDUAL_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "engine/graph/graph.h"

namespace resnetd::graph {

// The kinds of s in a residual unit, y = F(x) + s(x). The names of the options are the paper's (He et al., "Deep
// Residual Learning for Image Recognition", 2015, section 3.3).
enum class Shortcut : uint8_t {
  kIdentity,
  kProjection,  // a convolution: options B and C
  kPadded,      // no parameters, some pixels and channels of zeros: option A
  kPooled,      // pooled, and perhaps a convolution behind that: ResNet-D
  kOther,
  kNone,  // there is no plus: an inverted residual that changes the dims (MobileNetV2)
};

absl::string_view Name(Shortcut shortcut);  // "identity", "projection", ...

struct ResidualUnit {
  int node = 0;  // index of the plus; without a shortcut, of the last convolution
  Shortcut shortcut = Shortcut::kNone;
  ValueId input{}, branch{};  // x and F(x); undefined without a shortcut
};

// The units of a valid graph with dims whose sums no pass has fused yet, in topological order. A sum of two values of
// equal dims is a plus; x is the last value through which both of them pass, and s the way with fewer convolutions. A
// unit without a plus is told by its last convolution, which no activation follows before the next convolution.
std::vector<ResidualUnit> FindResidualUnits(const Graph& graph);

// Finds the nodes where a graph adds two values, fused or not: their indices, one entry a plus.
std::vector<int> FindPluses(const Graph& graph);

}  // namespace resnetd::graph

#endif  // RESNETD_ENGINE_GRAPH_RESIDUAL_H_
