// Operators of any number of tensors: sums, means, largest and smallest values. They become a chain of operations on
// two, in the file's order, which is that in which ONNX Runtime adds.
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/fold.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {

using graph::BinaryKind;
using graph::ValueId;

namespace {

// The node's output is what the last node of ours yields.
absl::Status Named(const NodeReader& n, Import& into, Operand all) {
  const ValueId* value = std::get_if<ValueId>(&all);
  if (value != nullptr && n.node().input_size() > 1) into.graph.value(*value).name = n.node().output(0);
  return into.Alias(n, std::move(all));
}

}  // namespace

absl::Status ImportVariadic(NodeReader& n, Import& into, BinaryKind kind) {
  const int count = n.node().input_size();
  if (count == 2) return ImportBinary(n, into, kind);
  RESNETD_ASSIGN_OR_RETURN(Operand all, into.Any(n, 0));
  for (int i = 1; i < count; ++i) {
    RESNETD_ASSIGN_OR_RETURN(const Operand next, into.Any(n, i));
    RESNETD_ASSIGN_OR_RETURN(all, Combine(n, into, kind, all, next));
  }
  return Named(n, into, std::move(all));
}

absl::Status ImportMean(NodeReader& n, Import& into) {
  const int count = n.node().input_size();
  RESNETD_ASSIGN_OR_RETURN(Operand sum, into.Any(n, 0));
  for (int i = 1; i < count; ++i) {
    RESNETD_ASSIGN_OR_RETURN(const Operand next, into.Any(n, i));
    RESNETD_ASSIGN_OR_RETURN(sum, Combine(n, into, BinaryKind::kAdd, sum, next));
  }
  if (count == 1) return into.Alias(n, std::move(sum));
  const Operand divisor = MakeWeights(n.name(), {}, std::vector<float>{static_cast<float>(count)});
  RESNETD_ASSIGN_OR_RETURN(Operand mean, Combine(n, into, BinaryKind::kDiv, sum, divisor));
  return Named(n, into, std::move(mean));
}

}  // namespace resnetd::onnx
