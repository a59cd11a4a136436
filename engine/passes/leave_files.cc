// A view keeps the whole file. Where batch norms were folded into all layers but the last, the file is as large as the
// folded weights beside it and of no other use. Where the exporter had folded them, the file is the weights: as an
// external file they lie where packing can read them, but within an ONNX file protobuf aligns nothing, and packing
// would copy them after all, one by one, beside the file.
#include "engine/passes/leave_files.h"

#include <functional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "engine/passes/weights_of.h"

namespace resnetd::passes {
namespace {

using graph::Weights;
using graph::WeightsRef;

// The share of a file that aligned views must need for it to be kept: at most a tenth is kept for nothing.
constexpr size_t kLeastPercent = 90;

bool LiesIn(const Bytes& file, const Weights& weights) {
  const char *const begin = file.view().data(), *const at = weights.data.bytes().view().data();
  return std::less_equal<>()(begin, at) && std::less<>()(at, begin + file.size());
}

// False if the graph keeps the file.
bool LeaveFile(const Bytes& file, graph::Graph& graph) {
  absl::flat_hash_set<const Weights*> seen;
  size_t needed = 0;
  for (const graph::Node& node : graph.nodes) {
    VisitWeights(node, [&](const WeightsRef& weights) {
      const bool view = LiesIn(file, *weights) && weights->data.aligned() != nullptr;
      if (view && seen.insert(weights.get()).second) needed += weights->data.bytes().size();
    });
  }
  if (needed > 0 && needed * 100 >= file.size() * kLeastPercent) return false;
  absl::flat_hash_map<WeightsRef, WeightsRef> copies;  // what several nodes share they share still
  for (graph::Node& node : graph.nodes) {
    VisitWeights(node, [&](WeightsRef& weights) {
      if (!LiesIn(file, *weights)) return;
      WeightsRef& copy = copies[weights];
      if (copy == nullptr) copy = graph::MakeWeights(weights->name, weights->dims, weights->data.Copy());
      weights = copy;
    });
  }
  return true;
}

}  // namespace

bool LeaveFiles(absl::Span<const Bytes> files, graph::Graph& graph) {
  bool all = true;
  for (const Bytes& file : files) all &= LeaveFile(file, graph);
  return all;
}

}  // namespace resnetd::passes
