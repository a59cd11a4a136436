// Operators that give a tensor other axes. They treat activations and constants alike: an activation is a tensor whose
// first axis is the batch, of unknown size, and must stay so.
#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/fold.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {
namespace {

using graph::Dims;
using graph::ValueId;

constexpr int64_t kLargestTensor = int64_t{1} << 31;  // elements

// The batch among them.
Dims AllDims(const Import& into, const Operand& operand) {
  const ValueId* value = std::get_if<ValueId>(&operand);
  if (value == nullptr) return DimsOf(operand);
  Dims dims = into.dims(*value);
  dims.insert(dims.begin(), Ints::kBatch);
  return dims;
}

// Counts the elements; -1 if one of the sizes is not positive or there are too many.
int64_t Elements(absl::Span<const int64_t> dims) {
  int64_t product = 1;
  for (int64_t d : dims) {
    if (d < 1 || d > kLargestTensor / product) return -1;
    product *= d;
  }
  return product;
}

// Defines the node's output: the operand under other dims, which are the batch first and then positive ones for an
// activation, and of the same product for a constant.
absl::Status Reshaped(NodeReader& n, Import& into, const Operand& operand, Dims dims) {
  if (dims.size() > kMostAxes) return Expected("result", absl::StrCat("at most ", kMostAxes, " axes"), "more");
  if (dims == AllDims(into, operand)) return into.Alias(n, operand);
  const ValueId* value = std::get_if<ValueId>(&operand);
  if (value == nullptr) return into.Alias(n, WithDims(operand, std::move(dims)));
  dims.erase(dims.begin());
  return into.Add(n, graph::Reshape{std::move(dims)}, {*value});
}

// `axes` of a tensor of so many; negative ones count from behind. Ascending, each once.
absl::StatusOr<std::vector<int64_t>> Counted(std::vector<int64_t> axes, size_t rank) {
  const int64_t size = static_cast<int64_t>(rank);
  for (int64_t& axis : axes) {
    if (axis < -size || axis >= size) return Expected("axis", absl::StrCat(-size, "..", size - 1), ToString({axis}));
    axis += axis < 0 ? size : 0;
  }
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) == axes.end()) return axes;
  return Expected("axes", "each at most once", ToString(axes));
}

// Puts the size that is left for -1. `from` is all of a constant, or of an activation what one image has.
absl::StatusOr<Dims> FillIn(Dims dims, absl::Span<const int64_t> from, const std::string& asked) {
  const int64_t size = Elements(from);
  const auto unknown = std::find(dims.begin(), dims.end(), -1);
  if (unknown != dims.end()) {
    *unknown = 1;
    const int64_t known = Elements(dims);
    *unknown = known > 0 ? size / known : -1;
  }
  if (size > 0 && Elements(dims) == size) return dims;
  return Expected("shape", absl::StrCat(size, " elements"), asked);
}

}  // namespace

absl::Status ImportFlatten(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  const Dims& dims = into.dims(src);
  const int64_t axis = n.Int("axis", 1);
  if (axis != 1 && axis != -static_cast<int64_t>(dims.size())) {
    return Expected("attribute 'axis'", "1", absl::StrCat(axis));
  }
  return Reshaped(n, into, src, {Ints::kBatch, Product(dims)});
}

// The batch is the batch's marker, 0, the batch size that is fixed in the file, or the -1 that all else leaves.
absl::Status ImportReshape(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const Operand src, into.Any(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const Ints shape, into.Integers(n, 1));
  const bool copies = n.Int("allowzero", 0) == 0;
  const Dims from = AllDims(into, src);
  Dims to(shape.values.begin(), shape.values.end());
  if (to.size() > kMostAxes) return Expected("shape", absl::StrCat("at most ", kMostAxes, " axes"), "more");
  for (size_t i = 0; copies && i < std::min(to.size(), from.size()); ++i) {
    if (to[i] == 0) to[i] = from[i];
  }
  if (!std::holds_alternative<ValueId>(src)) {
    const Ints* ints = std::get_if<Ints>(&src);
    if (ints != nullptr && ints->values.empty()) return Expected("input 0", "at least one integer", "none");
    RESNETD_ASSIGN_OR_RETURN(to, FillIn(std::move(to), from, ToString(shape.values)));
    return Reshaped(n, into, src, std::move(to));
  }
  const auto per_image = absl::MakeConstSpan(from).subspan(1);
  if (to == Dims{-1} && Product(per_image) > 1) return into.DefineFlat(n, std::get<ValueId>(src));
  const bool has_batch = !to.empty() && (to[0] == Ints::kBatch || (to[0] > 0 && to[0] == into.file_batch) ||
                                         (to[0] == -1 && Elements(absl::MakeConstSpan(to).subspan(1)) > 0));
  if (!has_batch) {
    return Expected("shape", absl::StrCat("the batch and then ", Product(per_image), " elements"),
                    ToString(shape.values));
  }
  to.erase(to.begin());
  RESNETD_ASSIGN_OR_RETURN(to, FillIn(std::move(to), per_image, ToString(shape.values)));
  to.insert(to.begin(), Ints::kBatch);
  return Reshaped(n, into, src, std::move(to));
}

absl::Status ImportSqueeze(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const Operand src, into.Any(n, 0));
  RESNETD_ASSIGN_OR_RETURN(std::vector<int64_t> axes, InputOrAttribute(n, into, 1, "axes"));
  const Dims dims = AllDims(into, src);
  const bool all = axes.empty();
  if (all && std::holds_alternative<ValueId>(src)) {
    return Expected("axes", "those to take away", "none, which is all of size 1 and may take the batch too");
  }
  for (size_t i = 0; all && i < dims.size(); ++i) {
    if (dims[i] == 1) axes.push_back(static_cast<int64_t>(i));
  }
  RESNETD_ASSIGN_OR_RETURN(axes, Counted(std::move(axes), dims.size()));
  Dims out;
  for (int64_t axis = 0; axis < static_cast<int64_t>(dims.size()); ++axis) {
    if (!std::binary_search(axes.begin(), axes.end(), axis)) {
      out.push_back(dims[axis]);
    } else if (dims[axis] != 1) {
      return Expected("axes", "axes of size 1", absl::StrCat(ToString(axes), " of ", ToString(dims)));
    }
  }
  return Reshaped(n, into, src, std::move(out));
}

absl::Status ImportUnsqueeze(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const Operand src, into.Any(n, 0));
  RESNETD_ASSIGN_OR_RETURN(std::vector<int64_t> axes, InputOrAttribute(n, into, 1, "axes"));
  Dims dims = AllDims(into, src);
  const size_t rank = dims.size() + axes.size();  // told before the axes move: arguments have no order
  RESNETD_ASSIGN_OR_RETURN(axes, Counted(std::move(axes), rank));
  if (std::holds_alternative<ValueId>(src) && !axes.empty() && axes[0] == 0) {
    return Expected("axes", "axes behind the batch", ToString(axes));
  }
  for (int64_t axis : axes) dims.insert(dims.begin() + axis, 1);
  return Reshaped(n, into, src, std::move(dims));
}

absl::Status ImportTranspose(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const Operand src, into.Any(n, 0));
  const Dims dims = AllDims(into, src);
  std::vector<int64_t> same(dims.size());
  std::iota(same.begin(), same.end(), 0);
  const std::vector<int64_t> perm = n.Ints("perm", {same.rbegin(), same.rend()});
  if (perm == same) return into.Alias(n, src);
  const ValueId* value = std::get_if<ValueId>(&src);
  if (value == nullptr) {
    RESNETD_ASSIGN_OR_RETURN(Operand transposed, FoldTranspose(into, src, perm));
    return into.Alias(n, std::move(transposed));
  }
  if (perm.empty() || perm[0] != 0) return Expected("attribute 'perm'", "0, the batch, first", ToString(perm));
  RESNETD_RETURN_IF_ERROR(CheckPermutation(perm, dims.size()));
  graph::Transpose op;
  for (size_t i = 1; i < perm.size(); ++i) op.perm.push_back(perm[i] - 1);
  return into.Add(n, std::move(op), {*value});
}

}  // namespace resnetd::onnx
