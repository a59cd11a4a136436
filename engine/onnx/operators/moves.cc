// Operators that take elements of tensors and put them elsewhere.
#include <algorithm>
#include <limits>
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

constexpr int64_t kLargestResult = int64_t{1} << 31;  // elements

// The bounds in a Slice, an entry for each axis it names.
struct Bounds {
  std::vector<int64_t> starts, ends, axes, steps;
};

absl::StatusOr<Bounds> ReadBounds(NodeReader& n, const Import& into) {
  Bounds b;
  RESNETD_ASSIGN_OR_RETURN(b.starts, InputOrAttribute(n, into, 1, "starts"));
  RESNETD_ASSIGN_OR_RETURN(b.ends, InputOrAttribute(n, into, 2, "ends"));
  RESNETD_ASSIGN_OR_RETURN(b.axes, InputOrAttribute(n, into, 3, "axes"));
  RESNETD_ASSIGN_OR_RETURN(b.steps, InputOrAttribute(n, into, 4, "steps"));
  const size_t count = b.starts.size();
  if (b.axes.empty()) {
    b.axes.resize(count);
    std::iota(b.axes.begin(), b.axes.end(), 0);
  }
  if (b.steps.empty()) b.steps.assign(count, 1);
  if (b.ends.size() != count || b.axes.size() != count || b.steps.size() != count) {
    return Expected("starts, ends, axes and steps", "equal lengths", "others");
  }
  return b;
}

// The index at which a slice starts or ends: negative ones count from the end, all are brought into low..high.
int64_t Bound(int64_t index, int64_t size, int64_t low, int64_t high) {
  return std::clamp(index < 0 ? index + size : index, low, high);
}

absl::Status SliceIntegers(NodeReader& n, Import& into, Ints data) {
  RESNETD_ASSIGN_OR_RETURN(const Bounds b, ReadBounds(n, into));
  const int64_t rank = static_cast<int64_t>(data.dims.size());
  for (size_t i = 0; i < b.starts.size(); ++i) {
    if (b.axes[i] < -rank || b.axes[i] >= rank) {
      return Expected("axis", absl::StrCat(-rank, "..", rank - 1), ToString({b.axes[i]}));
    }
    const int64_t axis = b.axes[i] + (b.axes[i] < 0 ? rank : 0), size = data.dims[axis], step = b.steps[i];
    if (step == 0 || step < -size - 1 || step > size + 1) {
      return Expected("steps", absl::StrCat("-", size + 1, "..", size + 1, " but 0"), ToString({step}));
    }
    std::vector<int64_t> rows;
    if (step > 0) {
      const int64_t end = Bound(b.ends[i], size, 0, size);
      for (int64_t row = Bound(b.starts[i], size, 0, size); row < end; row += step) rows.push_back(row);
    } else {
      const int64_t end = Bound(b.ends[i], size, -1, size - 1);
      for (int64_t row = Bound(b.starts[i], size, -1, size - 1); row > end; row += step) rows.push_back(row);
    }
    data = FoldTake(data, static_cast<size_t>(axis), rows);
  }
  return into.Alias(n, std::move(data));
}

absl::Status ExpandConstant(NodeReader& n, Import& into, const Operand& data, std::vector<int64_t> to) {
  if (!to.empty() && to[0] == Ints::kBatch) to[0] = 1;  // each image has it
  int64_t size = 1;
  for (const int64_t d : to) {
    if (d < 1 || d > kLargestResult / size) return Expected("shape", "positive sizes", ToString(to));
    size *= d;
  }
  const Dims dims(to.begin(), to.end());
  Operand ones = Ints{std::vector<int64_t>(), dims};
  if (std::holds_alternative<Ints>(data)) {
    if (size > kMostIntegers) return Expected("shape", absl::StrCat("at most ", kMostIntegers, " integers"), "more");
    std::get<Ints>(ones).values.assign(static_cast<size_t>(size), 1);
  } else {
    RESNETD_RETURN_IF_ERROR(into.Spend(size));
    ones = MakeWeights(n.name(), dims, std::vector<float>(static_cast<size_t>(size), 1));
  }
  RESNETD_ASSIGN_OR_RETURN(Operand expanded, FoldBinary(into, graph::BinaryKind::kMul, data, ones));
  return into.Alias(n, std::move(expanded));
}

graph::Slice Whole(const Dims& dims) {
  graph::Slice op;
  op.start.assign(dims.size(), 0);
  op.end.assign(dims.begin(), dims.end());
  op.step.assign(dims.size(), 1);
  return op;
}

// Whether the bounds take the whole batch, as x[:, ...] is written.
bool TakesAll(int64_t start, int64_t end, int64_t step) {
  return start == 0 && step == 1 && (end == Ints::kBatch || end >= std::numeric_limits<int32_t>::max());
}

// Sizes of a Split's outputs along an axis of `size`; the last of num_outputs may be smaller.
absl::StatusOr<std::vector<int64_t>> ReadSplit(NodeReader& n, const Import& into, int64_t size) {
  const int64_t outputs = n.node().output_size();
  RESNETD_ASSIGN_OR_RETURN(std::vector<int64_t> sizes, InputOrAttribute(n, into, 1, "split"));
  const bool numbered = n.Has("num_outputs");
  if (const int64_t number = n.Int("num_outputs", outputs); number != outputs || (numbered && !sizes.empty())) {
    return Expected("attribute 'num_outputs'", absl::StrCat(outputs, ", or sizes instead"), absl::StrCat(number));
  }
  if (sizes.empty()) {
    if (!numbered && size % outputs != 0) {
      return Expected("outputs", absl::StrCat("a divisor of ", size), absl::StrCat(outputs));
    }
    const int64_t each = (size + outputs - 1) / outputs;
    sizes.assign(static_cast<size_t>(outputs), each);
    sizes.back() = size - each * (outputs - 1);
  }
  int64_t sum = 0;
  for (int64_t s : sizes) sum = s < 1 || s > size ? size + 1 : std::min(size + 1, sum + s);
  if (static_cast<int64_t>(sizes.size()) == outputs && sum == size) return sizes;
  return Expected("split", absl::StrCat(outputs, " positive sizes, ", size, " together"), ToString(sizes));
}

absl::StatusOr<graph::PadMode> ReadPadMode(NodeReader& n) {
  const std::string mode = n.String("mode", "constant");
  if (mode == "constant") return graph::PadMode::kConstant;
  if (mode == "reflect") return graph::PadMode::kReflect;
  if (mode == "edge") return graph::PadMode::kEdge;
  return Expected("attribute 'mode'", "constant, reflect or edge", mode);
}

// Rows of an axis from the last to the first, as x[..., ::-1] is written.
absl::Status SliceBackwards(NodeReader& n, Import& into, ValueId src, const Bounds& b) {
  const Dims dims = into.dims(src);
  RESNETD_ASSIGN_OR_RETURN(const int64_t axis, ImageAxis(b.axes[0], dims.size()));
  const int64_t size = dims[axis], step = b.steps[0];
  if (step < -size - 1) return Expected("steps", absl::StrCat("at least -", size + 1), ToString({step}));
  std::vector<int64_t> rows;
  const int64_t end = Bound(b.ends[0], size, -1, size - 1);
  constexpr size_t kEnough = 64;  // more than AddRows() takes in this order
  for (int64_t row = Bound(b.starts[0], size, -1, size - 1); row > end && rows.size() < kEnough; row += step) {
    rows.push_back(row);
  }
  if (rows.empty()) return Expected("starts and ends", "at least one row", "none");
  return AddRows(n, into, src, axis, rows);
}

}  // namespace

absl::Status ImportSlice(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(Operand data, into.Any(n, 0));
  if (Ints* ints = std::get_if<Ints>(&data)) return SliceIntegers(n, into, std::move(*ints));
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const Bounds b, ReadBounds(n, into));
  if (b.steps.size() == 1 && b.steps[0] < 0) return SliceBackwards(n, into, src, b);
  const Dims& dims = into.dims(src);
  graph::Slice op = Whole(dims);
  std::vector<int64_t> axes;
  for (size_t i = 0; i < b.starts.size(); ++i) {
    const bool is_batch = b.axes[i] == 0 || b.axes[i] == -static_cast<int64_t>(dims.size()) - 1;
    if (is_batch && TakesAll(b.starts[i], b.ends[i], b.steps[i])) continue;
    axes.push_back(b.axes[i]);
    RESNETD_ASSIGN_OR_RETURN(const int64_t axis, ImageAxis(b.axes[i], dims.size()));
    if (b.steps[i] < 1) return Expected("steps", "at least 1", ToString({b.steps[i]}));
    if (b.starts[i] == Ints::kBatch || b.ends[i] == Ints::kBatch) {
      return Expected("starts and ends", "numbers known at load", "the batch");
    }
    op.start[axis] = Bound(b.starts[i], dims[axis], 0, dims[axis]);
    op.end[axis] = Bound(b.ends[i], dims[axis], 0, dims[axis]);
    op.step[axis] = b.steps[i];
  }
  RESNETD_RETURN_IF_ERROR(ImageAxes(axes, dims.size()).status());
  const graph::Slice whole = Whole(dims);
  if (op.start == whole.start && op.end == whole.end && op.step == whole.step) return into.Alias(n, src);
  return into.Add(n, std::move(op), {src});
}

absl::Status ImportSplit(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  const Dims dims = into.dims(src);
  RESNETD_ASSIGN_OR_RETURN(const int64_t axis, ImageAxis(n.Int("axis", 0), dims.size()));
  RESNETD_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, ReadSplit(n, into, dims[axis]));
  int64_t start = 0;
  for (int i = 0; i < n.node().output_size(); ++i) {
    graph::Slice op = Whole(dims);
    op.start[axis] = start;
    op.end[axis] = start += sizes[i];
    if (n.node().output(i).empty()) continue;
    RESNETD_RETURN_IF_ERROR(into.Add(n, std::move(op), {src}, i));
  }
  return absl::OkStatus();
}

absl::Status ImportConcat(NodeReader& n, Import& into) {
  if (!n.Has("axis")) return Expected("attribute 'axis'", "an axis", "none");
  const int64_t axis = n.Int("axis", 0);
  if (into.IsActivation(n, 0)) {
    absl::InlinedVector<ValueId, 2> inputs;
    for (int i = 0; i < n.node().input_size(); ++i) {
      RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, i));
      inputs.push_back(src);
    }
    RESNETD_ASSIGN_OR_RETURN(const int64_t counted, ImageAxis(axis, into.dims(inputs[0]).size()));
    if (inputs.size() == 1) return into.Alias(n, inputs[0]);
    return into.Add(n, graph::Concat{counted}, std::move(inputs));
  }
  std::vector<int64_t> list;
  for (int i = 0; i < std::max(1, n.node().input_size()); ++i) {
    RESNETD_ASSIGN_OR_RETURN(const Ints part, into.Integers(n, i));
    if (part.dims.empty() || (axis != 0 && axis != -1)) {
      return Expected("inputs", "lists of integers along axis 0", absl::StrCat("another along ", axis));
    }
    list.insert(list.end(), part.values.begin(), part.values.end());
    if (static_cast<int64_t>(list.size()) > kMostIntegers) {  // a chain of them could double at each node
      return Expected("inputs", absl::StrCat("at most ", kMostIntegers, " integers"), "more");
    }
  }
  return into.Alias(n, Ints::List(std::move(list)));
}

// Elements that are repeated are added to zeros, as many as there are along the axes that grow: an operation that
// repeats them itself needs no such node, and passes leave it out there.
absl::Status ImportExpand(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const Operand data, into.Any(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const Ints shape, into.Integers(n, 1));
  std::vector<int64_t> to = shape.values;
  if (to.size() > kMostAxes) return Expected("shape", absl::StrCat("at most ", kMostAxes, " axes"), "more");
  const ValueId* src = std::get_if<ValueId>(&data);
  if (src == nullptr) return ExpandConstant(n, into, data, std::move(to));
  const Dims& dims = into.dims(*src);
  const size_t rank = dims.size() + 1;
  if (to.size() == rank) {
    if (to[0] != 1 && to[0] != Ints::kBatch && (to[0] < 1 || to[0] != into.file_batch)) {
      return Expected("shape", "the batch as it is", ToString(shape.values));
    }
    to.erase(to.begin());
  }
  if (to.size() > dims.size())
    return Expected("shape", absl::StrCat("at most ", rank, " axes"), ToString(shape.values));
  to.insert(to.begin(), dims.size() - to.size(), 1);
  Dims zeros(dims.size(), 1);
  int64_t size = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (to[i] == 1 || to[i] == dims[i]) continue;
    if (dims[i] != 1 || to[i] < 1 || to[i] > kLargestResult / size) {
      return Expected("shape", absl::StrCat("what ", graph::ToString(dims), " can be repeated to"),
                      ToString(shape.values));
    }
    zeros[i] = to[i];
    size *= to[i];
  }
  if (size == 1) return into.Alias(n, *src);
  RESNETD_RETURN_IF_ERROR(into.Spend(size));
  graph::Binary add = graph::Add();
  add.constant = MakeWeights(n.name(), zeros, std::vector<float>(static_cast<size_t>(size), 0));
  return into.Add(n, std::move(add), {*src});
}

absl::Status ImportPad(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  graph::Pad op;
  RESNETD_ASSIGN_OR_RETURN(op.mode, ReadPadMode(n));
  RESNETD_ASSIGN_OR_RETURN(const std::vector<int64_t> pads, InputOrAttribute(n, into, 1, "pads"));
  op.value = n.Float("value", 0);
  if (into.HasInput(n, 2)) {
    RESNETD_ASSIGN_OR_RETURN(const graph::WeightsRef value, into.Floats(n, 2));
    if (value->data.size() != 1) return Expected("constant_value", "one value", graph::ToString(value->dims));
    op.value = value->data.front();
  }
  const size_t rank = into.dims(src).size();
  std::vector<int64_t> axes;
  if (into.HasInput(n, 3)) {
    RESNETD_ASSIGN_OR_RETURN(axes, InputOrAttribute(n, into, 3, "axes"));
  } else {
    axes.resize(rank + 1);
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (pads.size() != 2 * axes.size()) {
    return Expected("pads", absl::StrCat(2 * axes.size(), " values"), ToString(pads));
  }
  op.before.assign(rank, 0);
  op.after.assign(rank, 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t before = pads[i], after = pads[axes.size() + i];
    if (before == 0 && after == 0) continue;
    if (axes[i] == 0) return Expected("pads of the batch axis", "0", "others");
    RESNETD_ASSIGN_OR_RETURN(const int64_t axis, ImageAxis(axes[i], rank));
    op.before[axis] = before;
    op.after[axis] = after;
  }
  const auto is_zero = [](int64_t p) { return p == 0; };
  const bool pads_nothing = std::all_of(op.before.begin(), op.before.end(), is_zero) &&
                            std::all_of(op.after.begin(), op.after.end(), is_zero);
  return pads_nothing ? into.Alias(n, src) : into.Add(n, std::move(op), {src});
}

}  // namespace resnetd::onnx
