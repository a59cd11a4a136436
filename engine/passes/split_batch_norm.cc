// A batch normalisation that no layer could take (before the convolutions of a pre-activation block, say) is a factor
// and a shift a channel: y = factor * x + shift. As a multiplication with a post-op it can take further ones, first of
// all the ReLU behind it.
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/passes/affine.h"
#include "engine/passes/passes.h"

namespace resnetd::passes {
namespace {

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
  const auto make = [&](const std::string& name, std::vector<float> data) {
    return std::make_shared<const graph::Weights>(
        graph::Weights{name, dims, std::make_shared<const std::vector<float>>(std::move(data))});
  };
  node.op = graph::Binary{graph::BinaryKind::kMul, make(norm.scale->name, std::move(factors))};
  node.post_ops.insert(node.post_ops.begin(),
                       graph::Binary{graph::BinaryKind::kAdd, make(norm.shift->name, std::move(shifts))});
  return absl::OkStatus();
}

}  // namespace

absl::Status SplitBatchNorm(graph::Graph& graph) {
  for (graph::Node& node : graph.nodes) {
    if (!std::holds_alternative<graph::BatchNorm>(node.op)) continue;
    RESNETD_RETURN_IF_ERROR(Split(node, graph.value(node.output).dims.size()));
  }
  return absl::OkStatus();
}

}  // namespace resnetd::passes
