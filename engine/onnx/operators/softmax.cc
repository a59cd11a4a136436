// Softmax and its logarithm along one axis since opset 13; before, along all from that axis on, as if they were one.
#include <utility>

#include "base/status_macros.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {

using graph::Dims;
using graph::ValueId;

absl::Status ImportSoftmax(NodeReader& n, Import& into, bool log) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  const Dims dims = into.dims(src);
  const bool one_axis = n.opset() >= 13;
  RESNETD_ASSIGN_OR_RETURN(const int64_t axis, ImageAxis(n.Int("axis", one_axis ? -1 : 1), dims.size()));
  const int64_t over = one_axis ? dims[axis] : Product(absl::MakeConstSpan(dims).subspan(axis));
  if (over == dims[axis]) return into.Add(n, graph::Softmax{axis, log}, {src});
  Dims flat(dims.begin(), dims.begin() + axis);
  flat.push_back(over);
  RESNETD_ASSIGN_OR_RETURN(ValueId value, into.AddInner(n, graph::Reshape{std::move(flat)}, {src}));
  RESNETD_ASSIGN_OR_RETURN(value, into.AddInner(n, graph::Softmax{axis, log}, {value}));
  return into.Add(n, graph::Reshape{dims}, {value});
}

// The logarithm of a softmax is computed as one, which rounds no small probability to zero.
absl::Status ImportLog(NodeReader& n, Import& into) {
  constexpr graph::Activation kLog{graph::ActivationKind::kLog};
  if (!into.IsActivation(n, 0)) return ImportActivation(n, into, kLog);
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  const auto producer = into.graph.Producer(src);
  const auto* softmax = producer ? std::get_if<graph::Softmax>(&into.graph.nodes[*producer].op) : nullptr;
  if (softmax == nullptr || softmax->log) return into.Add(n, kLog, {src});
  return into.Add(n, graph::Softmax{softmax->axis, true}, {into.graph.nodes[*producer].inputs[0]});
}

}  // namespace resnetd::onnx
