// Places of the largest values, and those values in order: what a client makes of scores, and computed by no network's
// layer. The scores they read are served in their place.
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {

using graph::ValueId;

absl::Status ImportArgMax(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId scores, into.Activation(n, 0));
  RESNETD_RETURN_IF_ERROR(ImageAxis(n.Int("axis", 0), into.dims(scores).size()).status());
  n.Int("keepdims", 1);
  n.Int("select_last_index", 0);
  return into.DefineRanking(n, scores);
}

absl::Status ImportTopK(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId scores, into.Activation(n, 0));
  RESNETD_RETURN_IF_ERROR(ImageAxis(n.Int("axis", -1), into.dims(scores).size()).status());
  n.Int("k", 1);  // an input since opset 10
  if (n.Int("largest", 1) == 0) {
    return Expected("attribute 'largest'", "1, as answers begin with the largest (or the scores as an output)", "0");
  }
  n.Int("sorted", 1);
  return into.DefineRanking(n, scores);
}

}  // namespace resnetd::onnx
