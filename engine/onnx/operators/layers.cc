// Layers: those with weights, pools, and reductions, which global pools are.
//
// auto_pad SAME makes out = ceil(in / stride): the padding is max(0, (out - 1) * stride + extent - in), the odd pixel
// at the end (SAME_UPPER) or at the beginning (SAME_LOWER).
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/fold.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {
namespace {

using graph::BinaryKind;
using graph::Dims;
using graph::Pads2;
using graph::Size2;
using graph::ValueId;
using graph::WeightsRef;

absl::StatusOr<WeightsRef> Scaled(Import& into, const WeightsRef& w, float factor) {
  if (factor == 1.0f) return w;
  RESNETD_RETURN_IF_ERROR(into.Spend(static_cast<int64_t>(w->data.size())));
  std::vector<float> out = w->data.Copy();
  for (float& x : out) x *= factor;
  return MakeWeights(w->name, w->dims, std::move(out));
}

// One value a column, from {N}, {1, N} or a single value.
absl::StatusOr<WeightsRef> AsBias(Import& into, const WeightsRef& w, int64_t columns) {
  const auto& data = w->data;
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

std::pair<int64_t, int64_t> SamePads(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, bool upper) {
  const int64_t out = (in + stride - 1) / stride;
  const int64_t total = std::max<int64_t>(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - in);
  const int64_t small = total / 2, large = total - small;
  return upper ? std::pair(small, large) : std::pair(large, small);
}

absl::StatusOr<ValueId> ReadPoolSource(NodeReader& n, const Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_RETURN_IF_ERROR(into.ExpectUnread(n, 1));  // MaxPool's indices
  if (!n.Has("kernel_shape")) return Expected("attribute 'kernel_shape'", "two values", "none");
  return src;
}

// The node's output: its axes of `src` reduced.
absl::Status Reduced(NodeReader& n, Import& into, graph::ReduceKind kind, ValueId src) {
  RESNETD_ASSIGN_OR_RETURN(const std::vector<int64_t> listed, InputOrAttribute(n, into, 1, "axes"));
  const bool noop = n.Int("noop_with_empty_axes", 0) != 0;
  const bool keep = n.Int("keepdims", 1) != 0;
  if (listed.empty() && noop) return into.Alias(n, src);
  if (listed.empty()) return Expected("axes", "axes that leave the batch", "none, which means all");
  const Dims dims = into.dims(src);
  RESNETD_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, ImageAxes(listed, dims.size()));
  graph::Reduce op{kind, {axes.begin(), axes.end()}};
  if (keep) return into.Add(n, std::move(op), {src});
  RESNETD_ASSIGN_OR_RETURN(const ValueId reduced, into.AddInner(n, std::move(op), {src}));
  graph::Reshape rest;
  for (int64_t axis = 0; axis < static_cast<int64_t>(dims.size()); ++axis) {
    if (!std::binary_search(axes.begin(), axes.end(), axis)) rest.dims.push_back(dims[axis]);
  }
  return into.Add(n, std::move(rest), {reduced});
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

absl::StatusOr<Size2> ReadPair(NodeReader& n, absl::string_view attribute, Size2 fallback) {
  const std::vector<int64_t> values = n.Ints(attribute, {fallback.h, fallback.w});
  if (values.size() == 2) return Size2{values[0], values[1]};
  return Expected(absl::StrCat("attribute ", Quoted(attribute)), "two values", absl::StrJoin(values, ","));
}

absl::Status ReadWindow(NodeReader& n, const graph::Dims& src, Size2 kernel, Size2& strides, Size2& dilations,
                        Pads2& pads) {
  if (src.size() != 3) return Expected("input", "a feature map NxCxHxW", absl::StrCat("Nx", graph::ToString(src)));
  RESNETD_ASSIGN_OR_RETURN(strides, ReadPair(n, "strides", {1, 1}));
  RESNETD_ASSIGN_OR_RETURN(dilations, ReadPair(n, "dilations", {1, 1}));
  const std::vector<int64_t> explicit_pads = n.Ints("pads", {0, 0, 0, 0});
  if (explicit_pads.size() != 4) return Expected("attribute 'pads'", "four values", absl::StrJoin(explicit_pads, ","));
  const std::string auto_pad = n.String("auto_pad", "NOTSET");
  if (auto_pad == "NOTSET" || auto_pad.empty()) {
    pads = {explicit_pads[0], explicit_pads[1], explicit_pads[2], explicit_pads[3]};
    return absl::OkStatus();
  }
  pads = {};
  if (auto_pad == "VALID") return absl::OkStatus();
  if (auto_pad != "SAME_UPPER" && auto_pad != "SAME_LOWER") {
    return Expected("attribute 'auto_pad'", "NOTSET, VALID, SAME_UPPER or SAME_LOWER", auto_pad);
  }
  for (int64_t v : {strides.h, strides.w, dilations.h, dilations.w, kernel.h, kernel.w}) {
    if (v < 1 || v > 1 << 24) return Expected("kernel, strides and dilations", "1 to 2^24", absl::StrCat(v));
  }
  const bool upper = auto_pad == "SAME_UPPER";
  std::tie(pads.top, pads.bottom) = SamePads(src[1], kernel.h, strides.h, dilations.h, upper);
  std::tie(pads.left, pads.right) = SamePads(src[2], kernel.w, strides.w, dilations.w, upper);
  return absl::OkStatus();
}

absl::Status ImportMaxPool(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, ReadPoolSource(n, into));
  graph::MaxPool op;
  RESNETD_ASSIGN_OR_RETURN(op.kernel, ReadPair(n, "kernel_shape", {}));
  RESNETD_RETURN_IF_ERROR(ReadWindow(n, into.dims(src), op.kernel, op.strides, op.dilations, op.pads));
  op.ceil_mode = n.Int("ceil_mode", 0) != 0;
  n.Int("storage_order", 0);  // orders the indices
  return into.Add(n, op, {src});
}

absl::Status ImportAveragePool(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, ReadPoolSource(n, into));
  graph::AveragePool op;
  RESNETD_ASSIGN_OR_RETURN(op.kernel, ReadPair(n, "kernel_shape", {}));
  RESNETD_RETURN_IF_ERROR(ReadWindow(n, into.dims(src), op.kernel, op.strides, op.dilations, op.pads));
  op.ceil_mode = n.Int("ceil_mode", 0) != 0;
  op.count_include_pad = n.Int("count_include_pad", 0) != 0;
  return into.Add(n, op, {src});
}

absl::Status ImportGlobalPool(NodeReader& n, Import& into, graph::ReduceKind kind) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  const Dims& dims = into.dims(src);
  if (dims.size() < 2) return Expected("input", "a feature map NxCxHxW", absl::StrCat("Nx", graph::ToString(dims)));
  graph::Reduce op{kind, {}};
  for (int64_t axis = 1; axis < static_cast<int64_t>(dims.size()); ++axis) op.axes.push_back(axis);
  return into.Add(n, std::move(op), {src});
}

absl::Status ImportReduceSumSquare(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const ValueId squares,
                           into.AddInner(n, graph::Binary{BinaryKind::kMul, nullptr}, {src, src}));
  return Reduced(n, into, graph::ReduceKind::kSum, squares);
}

absl::Status ImportReduce(NodeReader& n, Import& into, graph::ReduceKind kind) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  return Reduced(n, into, kind, src);
}

}  // namespace resnetd::onnx
