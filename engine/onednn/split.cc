// A node reads and writes `a` bytes of maps an image and `w` bytes of weights. With B images these come and go
//
//   in a batch       B * a           B images' maps between two uses
//   image by image   B * (w + a)     one image's maps, and all weights of the first part, between two uses
//                                    (by T threads, T images are in hand at a time and w comes B / T times)
//
// and a byte costs nothing where what lies between two uses fits the second-level cache, one unit where it fits the
// third, and more in memory. Image by image each primitive is started B times, and what crosses the split is copied
// once.
#include "engine/onednn/split.h"

#include <algorithm>
#include <vector>

namespace resnetd::onednn {
namespace {

// Typical of servers since 2017: a core's second level and its share of the third.
constexpr int64_t kSecondLevel = 1 << 20, kThirdLevel = 16 << 20;
constexpr int64_t kMemory = 4;       // units a byte
constexpr int64_t kStart = 1 << 14;  // units a primitive: about a microsecond

int64_t Cost(int64_t bytes, int64_t between) {
  return between <= kSecondLevel ? 0 : between <= kThirdLevel ? bytes : kMemory * bytes;
}

int64_t Bytes(const graph::Dims& dims) {
  int64_t bytes = sizeof(float);
  for (const int64_t d : dims) bytes *= d;
  return bytes;
}

int64_t WeightBytes(const graph::Op& op) {
  if (const auto* conv = std::get_if<graph::Conv>(&op)) return Bytes(conv->weights->dims);
  if (const auto* gemm = std::get_if<graph::Gemm>(&op)) return Bytes(gemm->weights->dims);
  return 0;
}

// Adds up the bytes of the maps that a node reads and writes for one image; views are free.
int64_t MapBytes(const graph::Graph& graph, const graph::Node& node) {
  if (std::holds_alternative<graph::Reshape>(node.op) || std::holds_alternative<graph::Transpose>(node.op)) return 0;
  int64_t bytes = Bytes(graph.value(node.output).dims);
  for (const graph::ValueId id : node.inputs) bytes += Bytes(graph.value(id).dims);
  return bytes;
}

// Returns, by the number of nodes before the split, the bytes of one image's values that cross it.
std::vector<int64_t> CrossingBytes(const graph::Graph& graph) {
  const size_t nodes = graph.nodes.size();
  std::vector<size_t> yielded(graph.values.size(), 0), read(graph.values.size(), 0);
  for (size_t i = 0; i < nodes; ++i) {
    yielded[static_cast<size_t>(graph.nodes[i].output)] = i + 1;
    for (const graph::ValueId id : graph.nodes[i].inputs) read[static_cast<size_t>(id)] = i;
  }
  for (const graph::Output& output : graph.outputs) read[static_cast<size_t>(output.value)] = nodes;
  std::vector<int64_t> changes(nodes + 2, 0);
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (yielded[v] == 0 || read[v] < yielded[v]) continue;
    changes[yielded[v]] += Bytes(graph.values[v].dims);
    changes[read[v] + 1] -= Bytes(graph.values[v].dims);
  }
  for (size_t i = 1; i < changes.size(); ++i) changes[i] += changes[i - 1];
  return changes;
}

}  // namespace

Split ChooseSplit(const graph::Graph& graph, int batch, int threads) {
  Split split{.nodes = 0, .lanes = std::min(batch, threads)};
  const int passes = (batch + split.lanes - 1) / split.lanes;
  if (passes == 1) return split;
  const std::vector<int64_t> crossing = CrossingBytes(graph);
  int64_t weights = 0, saved = 0, most = 0;  // saved: units, against the whole batch at once
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const int64_t maps = MapBytes(graph, graph.nodes[i]), own = WeightBytes(graph.nodes[i].op);
    weights += own;
    saved += Cost(batch * maps, batch * maps) - batch * Cost(maps, maps) - passes * (Cost(own, weights) + kStart);
    const int64_t copied = 2 * batch * crossing[i + 1];
    if (saved - copied > most) most = saved - copied, split.nodes = i + 1;
  }
  return split;
}

}  // namespace resnetd::onednn
