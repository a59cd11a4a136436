// Windows that slide: pools, and the attributes they share with convolutions.
//
// auto_pad SAME makes out = ceil(in / stride): the padding is max(0, (out - 1) * stride + extent - in), the odd pixel
// at the end (SAME_UPPER) or at the beginning (SAME_LOWER).
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {
namespace {

using graph::Pads2;
using graph::Size2;
using graph::ValueId;

std::pair<int64_t, int64_t> SamePads(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, bool upper) {
  const int64_t out = (in + stride - 1) / stride;
  const int64_t total = std::max<int64_t>(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - in);
  const int64_t small = total / 2, large = total - small;
  return upper ? std::pair(small, large) : std::pair(large, small);
}

absl::StatusOr<ValueId> ReadPoolSource(NodeReader& n, const Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  if (n.node().output_size() != 1) return Expected("outputs", "1", absl::StrCat(n.node().output_size()));
  if (!n.Has("kernel_shape")) return Expected("attribute 'kernel_shape'", "two values", "none");
  return src;
}

}  // namespace

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
  n.Int("storage_order", 0);  // orders the second output, which we refuse
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

}  // namespace resnetd::onnx
