// Operators that move elements of activations.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/onnx/import.h"
#include "engine/status_macros.h"

namespace resnetd::onnx {
namespace {

using graph::Dims;
using graph::ValueId;

absl::Status Expected(absl::string_view what, absl::string_view expected, absl::string_view got) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": expected ", expected, ", got ", got));
}

int64_t Product(const Dims& dims) {
  int64_t product = 1;
  for (int64_t d : dims) product *= d;
  return product;
}

// Yields the input as a vector; nothing to do if it is one.
absl::Status AsVector(NodeReader& n, Import& into, ValueId src) {
  if (into.dims(src).size() == 1) return into.Alias(n, src);
  return into.Add(n, graph::Flatten(), {src});
}

}  // namespace

absl::Status ImportFlatten(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  const int64_t rank = static_cast<int64_t>(into.dims(src).size()) + 1;
  const int64_t axis = n.Int("axis", 1);
  if (axis != 1 && axis != 1 - rank) return Expected("attribute 'axis'", "1", absl::StrCat(axis));
  return AsVector(n, into, src);
}

absl::Status ImportReshape(NodeReader& n, Import& into) {
  if (into.IsInteger(n, 0)) return ImportIntegerReshape(n, into);
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const Ints shape, into.Integers(n, 1));
  n.Int("allowzero", 0);  // what a 0 means; our batch is never 0
  const int64_t size = Product(into.dims(src));
  const std::vector<int64_t>& to = shape.values;
  const bool keeps_batch =
      to.size() == 2 && (to[0] == 0 || (to[0] == -1 && to[1] == size) || (to[0] > 0 && to[0] == into.file_batch));
  if (!keeps_batch || (to[1] != -1 && to[1] != size)) {
    return Expected("shape", absl::StrCat("batch x ", size), absl::StrJoin(to, ","));
  }
  return AsVector(n, into, src);
}

absl::Status ImportSqueeze(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_ASSIGN_OR_RETURN(Ints axes, InputOrAttribute(n, into, 1, "axes"));
  for (int64_t& axis : axes.values) axis += axis < 0 ? 4 : 0;
  std::sort(axes.values.begin(), axes.values.end());
  const Dims& dims = into.dims(src);
  if (dims.size() != 3 || dims[1] != 1 || dims[2] != 1 || axes.values != std::vector<int64_t>{2, 3}) {
    return Expected("axes", "2,3 of NxCx1x1",
                    absl::StrCat(absl::StrJoin(axes.values, ","), " of Nx", graph::ToString(dims)));
  }
  return into.Add(n, graph::Flatten(), {src});
}

absl::Status ImportSlice(NodeReader& n, Import& into) {
  if (into.IsInteger(n, 0)) return ImportIntegerSlice(n, into);
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const Ints starts, InputOrAttribute(n, into, 1, "starts"));
  RESNETD_ASSIGN_OR_RETURN(const Ints ends, InputOrAttribute(n, into, 2, "ends"));
  RESNETD_ASSIGN_OR_RETURN(Ints axes, InputOrAttribute(n, into, 3, "axes"));
  RESNETD_ASSIGN_OR_RETURN(Ints steps, InputOrAttribute(n, into, 4, "steps"));
  const size_t count = starts.values.size();
  if (axes.values.empty()) {
    for (size_t i = 0; i < count; ++i) axes.values.push_back(static_cast<int64_t>(i));
  }
  if (steps.values.empty()) steps.values.assign(count, 1);
  if (ends.values.size() != count || axes.values.size() != count || steps.values.size() != count) {
    return Expected("starts, ends, axes and steps", "equal lengths", "others");
  }
  const Dims& dims = into.dims(src);
  const int64_t rank = static_cast<int64_t>(dims.size()) + 1;
  graph::Slice op;
  op.start.assign(dims.size(), 0);
  op.end.assign(dims.begin(), dims.end());
  op.step.assign(dims.size(), 1);
  for (size_t i = 0; i < count; ++i) {
    const int64_t axis = axes.values[i] + (axes.values[i] < 0 ? rank : 0);
    if (axis < 1 || axis >= rank) return Expected("axis", absl::StrCat("1..", rank - 1), absl::StrCat(axes.values[i]));
    const int64_t size = dims[axis - 1];
    const auto bound = [size](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + size : v, 0, size); };
    op.start[axis - 1] = bound(starts.values[i]);
    op.end[axis - 1] = bound(ends.values[i]);
    op.step[axis - 1] = steps.values[i];
  }
  return into.Add(n, std::move(op), {src});
}

absl::Status ImportPad(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  if (const std::string mode = n.String("mode", "constant"); mode != "constant") {
    return Expected("attribute 'mode'", "constant", mode);
  }
  RESNETD_ASSIGN_OR_RETURN(const Ints pads, InputOrAttribute(n, into, 1, "pads"));
  graph::Pad op;
  op.value = n.Float("value", 0);
  if (into.HasInput(n, 2)) {
    RESNETD_ASSIGN_OR_RETURN(const graph::WeightsRef value, into.Floats(n, 2));
    if (value->data->size() != 1) return Expected("constant_value", "one value", graph::ToString(value->dims));
    op.value = value->data->front();
  }
  if (into.HasInput(n, 3)) return Expected("input 'axes'", "none", "some");
  const size_t rank = into.dims(src).size() + 1;
  if (pads.values.size() != 2 * rank)
    return Expected("pads", absl::StrCat(2 * rank, " values"), absl::StrJoin(pads.values, ","));
  if (pads.values[0] != 0 || pads.values[rank] != 0) return Expected("pads of the batch axis", "0", "others");
  op.before.assign(pads.values.begin() + 1, pads.values.begin() + static_cast<ptrdiff_t>(rank));
  op.after.assign(pads.values.begin() + static_cast<ptrdiff_t>(rank) + 1, pads.values.end());
  return into.Add(n, std::move(op), {src});
}

}  // namespace resnetd::onnx
