// Reductions, global pools among them, and how axes are read.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {

using graph::Dims;
using graph::ValueId;

absl::StatusOr<std::vector<int64_t>> InputOrAttribute(NodeReader& n, const Import& into, int i,
                                                      absl::string_view name) {
  if (!into.HasInput(n, i)) return n.Ints(name, {});
  RESNETD_ASSIGN_OR_RETURN(Ints ints, into.Integers(n, i));
  return std::move(ints.values);
}

absl::StatusOr<int64_t> ImageAxis(int64_t axis, size_t rank) {
  const int64_t last = static_cast<int64_t>(rank);
  const int64_t counted = axis < 0 && axis >= -last - 1 ? axis + last + 1 : axis;
  if (counted >= 1 && counted <= last) return counted - 1;
  return Expected("axis", counted == 0 ? absl::StrCat("1..", last, ", not the batch") : absl::StrCat("1..", last),
                  ToString({axis}));
}

absl::StatusOr<std::vector<int64_t>> ImageAxes(absl::Span<const int64_t> axes, size_t rank) {
  std::vector<int64_t> out;
  for (int64_t axis : axes) {
    RESNETD_ASSIGN_OR_RETURN(const int64_t counted, ImageAxis(axis, rank));
    out.push_back(counted);
  }
  std::sort(out.begin(), out.end());
  if (std::adjacent_find(out.begin(), out.end()) == out.end()) return out;
  return Expected("axes", "each at most once", ToString(axes));
}

int64_t Product(absl::Span<const int64_t> dims) {
  int64_t product = 1;
  for (int64_t d : dims) product *= d;
  return product;
}

absl::Status ImportGlobalPool(NodeReader& n, Import& into, graph::ReduceKind kind) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  const Dims& dims = into.dims(src);
  if (dims.size() < 2) return Expected("input", "a feature map NxCxHxW", absl::StrCat("Nx", graph::ToString(dims)));
  graph::Reduce op{kind, {}};
  for (int64_t axis = 1; axis < static_cast<int64_t>(dims.size()); ++axis) op.axes.push_back(axis);
  return into.Add(n, std::move(op), {src});
}

absl::Status ImportReduce(NodeReader& n, Import& into, graph::ReduceKind kind) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const std::vector<int64_t> listed, InputOrAttribute(n, into, 1, "axes"));
  const bool noop = n.Int("noop_with_empty_axes", 0) != 0;
  const bool keep = n.Int("keepdims", 1) != 0;
  if (listed.empty() && noop) return into.Alias(n, src);
  if (listed.empty()) return Expected("axes", "axes that leave the batch", "none, which means all");
  const Dims dims = into.dims(src);
  RESNETD_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, ImageAxes(listed, dims.size()));
  graph::Reduce op{kind, {axes.begin(), axes.end()}};
  if (keep) return into.Add(n, std::move(op), {src});
  RESNETD_ASSIGN_OR_RETURN(const ValueId reduced, into.AddInner(n, std::move(op), src));
  graph::Reshape rest;
  for (int64_t axis = 0; axis < static_cast<int64_t>(dims.size()); ++axis) {
    if (!std::binary_search(axes.begin(), axes.end(), axis)) rest.dims.push_back(dims[axis]);
  }
  return into.Add(n, std::move(rest), {reduced});
}

}  // namespace resnetd::onnx
