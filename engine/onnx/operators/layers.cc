// Layers with weights.
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/fold.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {
namespace {

using graph::ValueId;
using graph::WeightsRef;

absl::StatusOr<WeightsRef> Scaled(Import& into, const WeightsRef& w, float factor) {
  if (factor == 1.0f) return w;
  RESNETD_RETURN_IF_ERROR(into.Spend(static_cast<int64_t>(w->data->size())));
  std::vector<float> out = *w->data;
  for (float& x : out) x *= factor;
  return MakeWeights(w->name, w->dims, std::move(out));
}

// One value a column, from {N}, {1, N} or a single value.
absl::StatusOr<WeightsRef> AsBias(Import& into, const WeightsRef& w, int64_t columns) {
  const auto& data = *w->data;
  if (static_cast<int64_t>(data.size()) == columns && w->dims.size() <= 2 &&
      (w->dims.empty() || w->dims.back() == columns)) {
    return std::get<WeightsRef>(WithDims(w, {columns}));
  }
  if (data.size() != 1) return Expected("bias", absl::StrCat(columns, " values"), graph::ToString(w->dims));
  RESNETD_RETURN_IF_ERROR(into.Spend(columns));
  return MakeWeights(w->name, {columns}, std::vector<float>(columns, data[0]));
}

absl::Status CheckMatrix(const WeightsRef& w) {
  if (w->dims.size() == 2) return absl::OkStatus();
  return Expected(absl::StrCat("weights ", Quoted(w->name)), "two axes", graph::ToString(w->dims));
}

}  // namespace

absl::Status ImportConv(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  graph::Conv op;
  RESNETD_ASSIGN_OR_RETURN(op.weights, into.Floats(n, 1));
  if (into.HasInput(n, 2)) {
    RESNETD_ASSIGN_OR_RETURN(op.bias, into.Floats(n, 2));
  }
  const graph::Dims& w = op.weights->dims;
  if (w.size() != 4) return Expected("weights", "four axes", graph::ToString(w));
  RESNETD_ASSIGN_OR_RETURN(const graph::Size2 kernel, ReadPair(n, "kernel_shape", {w[2], w[3]}));
  if (kernel != graph::Size2{w[2], w[3]}) {
    return Expected("attribute 'kernel_shape'", absl::StrCat(w[2], "x", w[3], " as in the weights"),
                    absl::StrCat(kernel.h, "x", kernel.w));
  }
  op.groups = n.Int("group", 1);
  RESNETD_RETURN_IF_ERROR(ReadWindow(n, into.dims(src), kernel, op.strides, op.dilations, op.pads));
  return into.Add(n, std::move(op), {src});
}

absl::Status ImportGemm(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_ASSIGN_OR_RETURN(WeightsRef weights, into.Floats(n, 1));
  RESNETD_RETURN_IF_ERROR(CheckMatrix(weights));
  if (n.Int("transA", 0) != 0) return Expected("attribute 'transA'", "0", "1");
  if (n.Int("transB", 0) == 0) {
    RESNETD_ASSIGN_OR_RETURN(weights, FoldTranspose(into, weights));
  }
  graph::Gemm op;
  RESNETD_ASSIGN_OR_RETURN(op.weights, Scaled(into, weights, n.Float("alpha", 1)));
  const float beta = n.Float("beta", 1);
  if (into.HasInput(n, 2)) {
    RESNETD_ASSIGN_OR_RETURN(const WeightsRef c, into.Floats(n, 2));
    RESNETD_ASSIGN_OR_RETURN(const WeightsRef bias, AsBias(into, c, op.weights->dims[0]));
    RESNETD_ASSIGN_OR_RETURN(op.bias, Scaled(into, bias, beta));
  }
  return into.Add(n, std::move(op), {src});
}

absl::Status ImportMatMul(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const WeightsRef weights, into.Floats(n, 1));
  RESNETD_RETURN_IF_ERROR(CheckMatrix(weights));
  graph::Gemm op;
  RESNETD_ASSIGN_OR_RETURN(op.weights, FoldTranspose(into, weights));
  return into.Add(n, std::move(op), {src});
}

}  // namespace resnetd::onnx
