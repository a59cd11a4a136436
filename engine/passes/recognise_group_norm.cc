// Exporters without a group normalisation write one as an instance normalisation of {groups, everything else}:
//
//   x {C,H,W} -> Reshape {G, C/G*H*W} -> InstanceNorm (scale s, shift t) -> Reshape {C,H,W} -> Mul {C,1,1} -> Add
//   {C,1,1}
//
// which is a group normalisation of x with scale[c] = s[g] * mul[c] and shift[c] = t[g] * mul[c] + add[c].
#include <memory>
#include <utility>
#include <vector>

#include "engine/passes/passes.h"
#include "engine/passes/uses.h"

namespace resnetd::passes {
namespace {

using graph::BinaryKind;
using graph::ValueId;

// The constant {C,1,1} of `value op constant`; null if `id` is no such thing.
const graph::Weights* PerChannel(const graph::Graph& graph, const Match& match, ValueId id, BinaryKind kind) {
  const auto* binary = match.Get<graph::Binary>(id);
  if (binary == nullptr || binary->kind != kind || binary->constant == nullptr) return nullptr;
  graph::Dims dims(graph.value(id).dims.size(), 1);
  if (dims.empty()) return nullptr;
  dims[0] = graph.value(id).dims[0];
  return binary->constant->dims == dims ? binary->constant.get() : nullptr;
}

// Turns `node`, the last of the five, into a group normalisation if it is one.
void Recognise(const graph::Graph& graph, const Match& match, graph::Node& node) {
  const graph::Weights* add = PerChannel(graph, match, node.output, BinaryKind::kAdd);
  const graph::Weights* mul = add ? PerChannel(graph, match, node.inputs[0], BinaryKind::kMul) : nullptr;
  if (mul == nullptr) return;
  const ValueId back = match.Producer(node.inputs[0])->inputs[0];
  if (match.Get<graph::Reshape>(back) == nullptr) return;
  const ValueId normal = match.Producer(back)->inputs[0];
  const auto* norm = match.Get<graph::GroupNorm>(normal);
  if (norm == nullptr) return;
  const ValueId grouped = match.Producer(normal)->inputs[0];
  if (match.Get<graph::Reshape>(grouped) == nullptr) return;
  const ValueId x = match.Producer(grouped)->inputs[0];
  const size_t channels = add->data->size(), groups = norm->scale->data->size();
  const bool instances = norm->groups == static_cast<int64_t>(groups) && graph.value(grouped).dims[0] == norm->groups;
  if (!instances || channels % groups != 0 || graph.value(x).dims != graph.value(node.output).dims) return;

  std::vector<float> scale(channels), shift(channels);
  for (size_t c = 0; c < channels; ++c) {
    const size_t g = c / (channels / groups);
    scale[c] = (*norm->scale->data)[g] * (*mul->data)[c];
    shift[c] = (*norm->shift->data)[g] * (*mul->data)[c] + (*add->data)[c];
  }
  const auto make = [&](const std::string& name, std::vector<float> data) {
    return std::make_shared<const graph::Weights>(graph::Weights{
        name, {static_cast<int64_t>(channels)}, std::make_shared<const std::vector<float>>(std::move(data))});
  };
  node.op = graph::GroupNorm{make(mul->name, std::move(scale)), make(add->name, std::move(shift)),
                             static_cast<int64_t>(groups), norm->epsilon};
  node.inputs = {x};
}

}  // namespace

absl::Status RecogniseGroupNorm(graph::Graph& graph) {
  const Uses uses(graph);
  const Match match(graph, uses);
  for (graph::Node& node : graph.nodes) Recognise(graph, match, node);
  return RemoveDead(graph);
}

}  // namespace resnetd::passes
