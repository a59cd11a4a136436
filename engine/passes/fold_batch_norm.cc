// A convolution followed by batch normalisation is a convolution. With factor = scale / sqrt(variance + epsilon):
//
//   scale * (conv(x) + bias - mean) / sqrt(variance + epsilon) + shift
//     = (factor * weights) (*) x  +  factor * (bias - mean) + shift
//
// per output channel, in double: the rounding of the folded weights is the only error.
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/passes/passes.h"
#include "engine/passes/uses.h"

namespace resnetd::passes {
namespace {

using graph::Weights;
using graph::WeightsRef;

WeightsRef Make(std::string name, const graph::Dims& dims, std::vector<float> data) {
  return std::make_shared<const Weights>(
      Weights{std::move(name), dims, std::make_shared<const std::vector<float>>(std::move(data))});
}

absl::Status Fold(const graph::BatchNorm& bn, graph::Conv& conv) {
  const Weights& w = *conv.weights;
  const size_t channels = static_cast<size_t>(w.dims[0]);
  const size_t taps = w.data->size() / channels;
  std::vector<float> weights(w.data->size()), bias(channels);
  for (size_t c = 0; c < channels; ++c) {
    const double variance = static_cast<double>((*bn.variance->data)[c]) + bn.epsilon;
    if (!(variance > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("channel ", c, ": expected variance + epsilon above 0, got ", variance));
    }
    const double factor = (*bn.scale->data)[c] / std::sqrt(variance);
    for (size_t i = c * taps; i < (c + 1) * taps; ++i) weights[i] = static_cast<float>(factor * (*w.data)[i]);
    const double before = conv.bias != nullptr ? (*conv.bias->data)[c] : 0.0;
    bias[c] = static_cast<float>(factor * (before - (*bn.mean->data)[c]) + (*bn.shift->data)[c]);
  }
  const std::string bias_name = conv.bias != nullptr ? conv.bias->name : absl::StrCat(w.name, "/bias");
  conv.bias = Make(bias_name, {w.dims[0]}, std::move(bias));
  conv.weights = Make(w.name, w.dims, std::move(weights));
  return absl::OkStatus();
}

}  // namespace

absl::Status FoldBatchNorm(graph::Graph& graph) {
  const Uses uses(graph);
  std::vector<bool> folded(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const graph::BatchNorm* bn = std::get_if<graph::BatchNorm>(&graph.nodes[i].op);
    if (bn == nullptr) continue;
    graph::Conv* conv = SoleConv(graph, uses, graph.nodes[i].inputs[0]);
    if (conv == nullptr) continue;
    if (absl::Status s = Fold(*bn, *conv); !s.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("node '", graph.nodes[i].name, "' (BatchNorm): ", s.message()));
    }
    graph.nodes[uses.producer(graph.nodes[i].inputs[0])].output = graph.nodes[i].output;
    folded[i] = true;
  }
  size_t i = 0;
  std::erase_if(graph.nodes, [&](const graph::Node&) { return folded[i++]; });
  return absl::OkStatus();
}

}  // namespace resnetd::passes
