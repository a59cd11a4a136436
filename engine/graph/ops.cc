#include "engine/graph/ops.h"

#include <array>

namespace resnetd::graph {

absl::string_view OpName(const Op& op) {
  // In the order of the variant's alternatives.
  static constexpr std::array<const char*, std::variant_size_v<Op>> kNames = {
      "Conv",    "BatchNorm", "Relu",  "Add", "MaxPool", "AveragePool", "GlobalAveragePool",
      "Flatten", "Gemm",      "Slice", "Pad"};
  return kNames[op.index()];
}

}  // namespace resnetd::graph
