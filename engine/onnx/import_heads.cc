// What may stand behind a classifier. As the last node, of scores of classes, it becomes what is said of the output,
// since probabilities are the server's business; elsewhere it is a node like others.
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/onnx/importers.h"
#include "engine/status_macros.h"

namespace resnetd::onnx {
namespace {

using graph::Dims;
using graph::HeadActivation;
using graph::ValueId;

// Whether the node is the last of a head; if so, it has been dealt with.
absl::StatusOr<bool> EndsHead(const NodeReader& n, Import& into, ValueId src, HeadActivation activation) {
  const auto output = into.OnlyOutput(n.node().output(0));
  if (!output || !into.Classifier(src)) return false;
  into.SetHead(*output, activation);
  RESNETD_RETURN_IF_ERROR(into.Alias(n, src));
  return true;
}

}  // namespace

absl::Status ImportSigmoid(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const bool done, EndsHead(n, into, src, HeadActivation::kSigmoid));
  return done ? absl::OkStatus() : ImportActivation(n, into, {graph::ActivationKind::kSigmoid});
}

// Along one axis since opset 13; before, along all from that axis on, as if they were one.
absl::Status ImportSoftmax(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  const Dims dims = into.dims(src);
  const bool one_axis = n.opset() >= 13;
  RESNETD_ASSIGN_OR_RETURN(const int64_t axis, ImageAxis(n.Int("axis", one_axis ? -1 : 1), dims.size()));
  const int64_t over = one_axis ? dims[axis] : Product(absl::MakeConstSpan(dims).subspan(axis));
  if (over == Product(dims)) {
    RESNETD_ASSIGN_OR_RETURN(const bool done, EndsHead(n, into, src, HeadActivation::kSoftmax));
    if (done) return absl::OkStatus();
  }
  if (over == dims[axis]) return into.Add(n, graph::Softmax{axis}, {src});
  Dims flat(dims.begin(), dims.begin() + axis);
  flat.push_back(over);
  RESNETD_ASSIGN_OR_RETURN(ValueId value, into.AddInner(n, graph::Reshape{std::move(flat)}, src));
  RESNETD_ASSIGN_OR_RETURN(value, into.AddInner(n, graph::Softmax{axis}, value));
  return into.Add(n, graph::Reshape{dims}, {value});
}

}  // namespace resnetd::onnx
