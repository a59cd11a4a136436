// Operations that only scale and shift their channels, y = factor * x + shift: batch normalisation, and constants that
// are added or multiplied.
//
// Fold: a convolution or inner product takes in those behind it,
//
//   factor * (weights (*) x + bias) + shift = (factor * weights) (*) x  +  factor * bias + shift
//
// and a layer normalisation has a scale and a shift of its own, which are the weights and the bias of what it scales;
//
// in double: the rounding of the folded weights is the only error.
//
// Split: a batch normalisation that no layer could take (before the convolutions of a pre-activation block, say)
// becomes a multiplication with a post-op that adds. As such it can take further ones, first of all the ReLU behind it.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/passes/affine.h"
#include "engine/passes/passes.h"
#include "engine/passes/uses.h"

namespace resnetd::passes {
namespace {

using graph::Weights;
using graph::WeightsRef;

// Values of a layer normalisation that take in what follows: its scale may be shared, and a small file could become a
// large graph.
constexpr size_t kMostNormed = 1 << 14;

// `weights` has the output channels in front.
void Apply(const std::vector<Affine>& channels, WeightsRef& weights, WeightsRef& bias) {
  const Weights& w = *weights;
  const size_t taps = w.data.size() / channels.size();
  std::vector<float> scaled = w.data.Copy(), shifted(channels.size());
  for (size_t c = 0; c < channels.size(); ++c) {
    const auto [factor, shift] = channels[c];
    for (size_t i = c * taps; i < (c + 1) * taps; ++i) scaled[i] = static_cast<float>(factor * scaled[i]);
    shifted[c] = static_cast<float>(factor * (bias != nullptr ? bias->data[c] : 0.0) + shift);
  }
  const int64_t size = static_cast<int64_t>(channels.size());
  bias = graph::MakeWeights(bias != nullptr ? bias->name : absl::StrCat(w.name, "/bias"), {size}, std::move(shifted));
  weights = graph::MakeWeights(w.name, w.dims, std::move(scaled));
}

// Counts how many layers have the same weights, by weights.
using Owners = absl::flat_hash_map<const Weights*, int>;

Owners CountOwners(const graph::Graph& graph) {
  Owners owners;
  for (const graph::Node& node : graph.nodes) {
    if (const auto* conv = std::get_if<graph::Conv>(&node.op)) ++owners[conv->weights.get()];
    if (const auto* gemm = std::get_if<graph::Gemm>(&node.op)) ++owners[gemm->weights.get()];
  }
  return owners;
}

// Folds `node` into the layer that yields its input. False: it is none of these, or the layer has other readers, or it
// shares its weights: each of those would need weights of its own, and a small file could become a large graph.
absl::StatusOr<bool> Fold(graph::Graph& graph, Uses& uses, const Owners& owners, const graph::Node& node) {
  const auto* norm = std::get_if<graph::BatchNorm>(&node.op);
  const auto* binary = std::get_if<graph::Binary>(&node.op);
  if (norm == nullptr && binary == nullptr) return false;
  graph::Node* layer = SoleProducer(graph, uses, node.inputs[0]);
  if (layer == nullptr || !layer->post_ops.empty() || !node.post_ops.empty()) return false;
  auto* conv = std::get_if<graph::Conv>(&layer->op);
  auto* gemm = std::get_if<graph::Gemm>(&layer->op);
  auto* layer_norm = std::get_if<graph::LayerNorm>(&layer->op);
  const graph::Dims& dst = graph.value(node.output).dims;
  if (dst != graph.value(layer->output).dims) return false;
  if (layer_norm != nullptr && binary != nullptr) {
    const std::vector<Affine> channels = ChannelsOf(*binary, dst, static_cast<size_t>(layer_norm->axis));
    if (channels.empty() || channels.size() > kMostNormed) return false;
    Apply(channels, layer_norm->scale, layer_norm->shift);
    layer->output = node.output;
    uses.SetProducer(node.output, static_cast<int>(layer - graph.nodes.data()));
    return true;
  }
  if (conv == nullptr && gemm == nullptr) return false;
  if (gemm != nullptr && norm != nullptr && dst.size() != 1) return false;
  if (const auto it = owners.find((conv != nullptr ? conv->weights : gemm->weights).get());
      it != owners.end() && it->second > 1) {
    return false;
  }

  std::vector<Affine> channels;
  if (norm != nullptr) {
    RESNETD_ASSIGN_OR_RETURN(auto of, ChannelsOf(*norm));
    channels = std::move(of);
  } else {
    channels = ChannelsOf(*binary, dst, conv != nullptr ? 0 : dst.size() - 1);
  }
  if (channels.empty()) return false;
  conv != nullptr ? Apply(channels, conv->weights, conv->bias) : Apply(channels, gemm->weights, gemm->bias);
  layer->output = node.output;
  uses.SetProducer(node.output, static_cast<int>(layer - graph.nodes.data()));  // what comes next may fold into it too
  return true;
}

// Splits a batch normalisation whose result has `rank` axes.
absl::Status Split(graph::Node& node, size_t rank) {
  const graph::BatchNorm norm = std::get<graph::BatchNorm>(node.op);
  const auto channels = ChannelsOf(norm);
  if (!channels.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("node ", Quoted(node.name), " (BatchNorm): ", channels.status().message()));
  }
  std::vector<float> factors, shifts;
  for (const auto& [factor, shift] : *channels) {
    factors.push_back(static_cast<float>(factor));
    shifts.push_back(static_cast<float>(shift));
  }
  graph::Dims dims(rank, 1);
  dims[0] = static_cast<int64_t>(channels->size());
  node.op = graph::Binary{graph::BinaryKind::kMul, graph::MakeWeights(norm.scale->name, dims, std::move(factors))};
  node.post_ops.insert(
      node.post_ops.begin(),
      graph::Binary{graph::BinaryKind::kAdd, graph::MakeWeights(norm.shift->name, dims, std::move(shifts))});
  return absl::OkStatus();
}

}  // namespace

absl::Status FoldAffine(graph::Graph& graph) {
  Uses uses(graph);
  const Owners owners = CountOwners(graph);
  std::vector<bool> folded(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const absl::StatusOr<bool> done = Fold(graph, uses, owners, graph.nodes[i]);
    if (!done.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("node ", Quoted(graph.nodes[i].name), " (",
                                                     OpName(graph.nodes[i].op), "): ", done.status().message()));
    }
    folded[i] = *done;
  }
  size_t i = 0;
  std::erase_if(graph.nodes, [&](const graph::Node&) { return folded[i++]; });
  return absl::OkStatus();
}

absl::Status SplitBatchNorm(graph::Graph& graph) {
  for (graph::Node& node : graph.nodes) {
    if (!std::holds_alternative<graph::BatchNorm>(node.op)) continue;
    RESNETD_RETURN_IF_ERROR(Split(node, graph.value(node.output).dims.size()));
  }
  return absl::OkStatus();
}

}  // namespace resnetd::passes
