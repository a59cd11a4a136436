// The integer arithmetic on shapes and pads with which exporters surround the operators that do the work. It is
// computed here and leaves no node behind.
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

constexpr int64_t kMostIntegers = 64;  // of one tensor; pads of a feature map are eight

absl::Status Expected(absl::string_view what, absl::string_view expected, absl::string_view got) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": expected ", expected, ", got ", got));
}

// The one value of input or attribute.
absl::StatusOr<int64_t> One(absl::string_view what, const Ints& ints) {
  if (ints.values.size() == 1) return ints.values[0];
  return Expected(what, "one value", absl::StrJoin(ints.values, ","));
}

// The index at which a slice starts or ends: negative ones count from the end, all are brought into low..high.
int64_t Bound(int64_t index, int64_t size, int64_t low, int64_t high) {
  return std::clamp(index < 0 ? index + size : index, low, high);
}

}  // namespace

// The node's integers from input `i` (newer opsets) or attribute `name` (older ones).
absl::StatusOr<Ints> InputOrAttribute(NodeReader& n, const Import& into, int i, absl::string_view name) {
  if (into.HasInput(n, i)) return into.Integers(n, i);
  return Ints{n.Ints(name, {})};
}

absl::Status ImportConstant(NodeReader& n, Import& into) {
  if (const TensorProto* tensor = n.Tensor("value")) {
    RESNETD_ASSIGN_OR_RETURN(Operand operand, ReadTensor(*tensor, into.external));
    return into.Alias(n, std::move(operand));
  }
  if (n.Has("value_ints")) return into.Alias(n, Ints{n.Ints("value_ints", {})});
  if (n.Has("value_int")) return into.Alias(n, Ints{{n.Int("value_int", 0)}, true});
  return absl::InvalidArgumentError("expected attribute 'value', 'value_int' or 'value_ints'");
}

absl::Status ImportShape(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const ValueId src, into.Activation(n, 0));
  if (n.Int("start", 0) != 0 || n.Has("end")) return Expected("attributes 'start' and 'end'", "none", "some");
  const Dims& dims = into.dims(src);
  Ints shape{{0}};
  shape.values.insert(shape.values.end(), dims.begin(), dims.end());
  return into.Alias(n, std::move(shape));
}

absl::Status ImportGather(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const Ints data, into.Integers(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const Ints indices, into.Integers(n, 1));
  if (n.Int("axis", 0) != 0) return Expected("attribute 'axis'", "0", "another");
  Ints out;
  out.scalar = indices.scalar;
  const int64_t size = static_cast<int64_t>(data.values.size());
  for (int64_t index : indices.values) {
    if (index < -size || index >= size)
      return Expected("index", absl::StrCat(-size, "..", size - 1), absl::StrCat(index));
    out.values.push_back(data.values[index < 0 ? index + size : index]);
  }
  return into.Alias(n, std::move(out));
}

absl::Status ImportUnsqueeze(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(Ints data, into.Integers(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const Ints axes, InputOrAttribute(n, into, 1, "axes"));
  if (!data.scalar || axes.values != std::vector<int64_t>{0}) {
    return absl::InvalidArgumentError("supported only for one integer of a shape, at axis 0");
  }
  data.scalar = false;
  return into.Alias(n, std::move(data));
}

absl::Status ImportConcat(NodeReader& n, Import& into) {
  Ints out;
  if (n.Int("axis", 0) != 0) return Expected("attribute 'axis'", "0", "another");
  for (int i = 0; i < n.node().input_size(); ++i) {
    RESNETD_ASSIGN_OR_RETURN(const Ints part, into.Integers(n, i));
    out.values.insert(out.values.end(), part.values.begin(), part.values.end());
    if (static_cast<int64_t>(out.values.size()) > kMostIntegers) {  // a chain of them could double at each node
      return Expected("inputs", absl::StrCat("at most ", kMostIntegers, " integers"), "more");
    }
  }
  return into.Alias(n, std::move(out));
}

absl::Status ImportCast(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(Ints data, into.IntegersOrMatrix(n, 0));
  if (const int64_t to = n.Int("to", 0); to != TensorProto::INT64 && to != TensorProto::INT32) {
    return Expected("attribute 'to'", "INT64 or INT32", absl::StrCat(to));
  }
  return into.Alias(n, std::move(data));
}

absl::Status ImportConstantOfShape(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const Ints shape, into.Integers(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const int64_t size, One("shape", shape));
  if (size < 0 || size > kMostIntegers) {
    return Expected("shape", absl::StrCat("0 to ", kMostIntegers), absl::StrCat(size));
  }
  const TensorProto* tensor = n.Tensor("value");
  if (tensor == nullptr) return Expected("attribute 'value'", "an integer", "none");
  RESNETD_ASSIGN_OR_RETURN(const Operand operand, ReadTensor(*tensor, into.external));
  const Ints* value = std::get_if<Ints>(&operand);
  if (value == nullptr) return Expected("attribute 'value'", "an integer", "a float");
  RESNETD_ASSIGN_OR_RETURN(const int64_t fill, One("attribute 'value'", *value));
  return into.Alias(n, Ints{std::vector<int64_t>(static_cast<size_t>(size), fill)});
}

absl::Status ImportTranspose(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const Ints data, into.IntegersOrMatrix(n, 0));
  const std::vector<int64_t> perm = n.Ints("perm", {1, 0});
  if (data.columns == 0 || perm != std::vector<int64_t>{1, 0}) {
    return absl::InvalidArgumentError("supported only for a matrix of integers");
  }
  const int64_t rows = static_cast<int64_t>(data.values.size()) / data.columns;
  Ints out;
  out.columns = rows;
  for (int64_t c = 0; c < data.columns; ++c) {
    for (int64_t r = 0; r < rows; ++r) out.values.push_back(data.values[r * data.columns + c]);
  }
  return into.Alias(n, std::move(out));
}

absl::Status ImportIntegerReshape(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(Ints data, into.IntegersOrMatrix(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const Ints shape, into.Integers(n, 1));
  n.Int("allowzero", 0);
  const std::vector<int64_t>& to = shape.values;
  const int64_t size = static_cast<int64_t>(data.values.size());
  const bool list = to.size() == 1 && (to[0] == -1 || to[0] == size);
  const bool matrix =
      to.size() == 2 && to[1] > 0 && size > 0 && size % to[1] == 0 && (to[0] == -1 || to[0] == size / to[1]);
  if (!list && !matrix) {
    return Expected("shape", absl::StrCat("a list or a matrix of ", size, " integers"), absl::StrJoin(to, ","));
  }
  data.scalar = false;
  data.columns = matrix ? to[1] : 0;
  return into.Alias(n, std::move(data));
}

absl::Status ImportIntegerSlice(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const Ints data, into.IntegersOrMatrix(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const Ints starts, InputOrAttribute(n, into, 1, "starts"));
  RESNETD_ASSIGN_OR_RETURN(const Ints ends, InputOrAttribute(n, into, 2, "ends"));
  RESNETD_ASSIGN_OR_RETURN(const Ints axes, InputOrAttribute(n, into, 3, "axes"));
  RESNETD_ASSIGN_OR_RETURN(Ints steps, InputOrAttribute(n, into, 4, "steps"));
  if (steps.values.empty()) steps.values = {1};
  RESNETD_ASSIGN_OR_RETURN(const int64_t start, One("starts", starts));
  RESNETD_ASSIGN_OR_RETURN(const int64_t end, One("ends", ends));
  RESNETD_ASSIGN_OR_RETURN(const int64_t step, One("steps", steps));
  if (!axes.values.empty() && axes.values != std::vector<int64_t>{0}) {
    return Expected("axes", "0", absl::StrJoin(axes.values, ","));
  }
  const int64_t width = std::max<int64_t>(data.columns, 1), rows = static_cast<int64_t>(data.values.size()) / width;
  if (step == 0 || step < -rows - 1 || step > rows + 1) {
    return Expected("steps", absl::StrCat("-", rows + 1, "..", rows + 1, " but 0"), absl::StrCat(step));
  }
  Ints out;
  out.columns = data.columns;
  const auto copy = [&](int64_t row) {
    out.values.insert(out.values.end(), data.values.begin() + row * width, data.values.begin() + (row + 1) * width);
  };
  if (step > 0) {
    for (int64_t r = Bound(start, rows, 0, rows); r < Bound(end, rows, 0, rows); r += step) copy(r);
  } else {
    for (int64_t r = Bound(start, rows, -1, rows - 1); r > Bound(end, rows, -1, rows - 1); r += step) copy(r);
  }
  return into.Alias(n, std::move(out));
}

}  // namespace resnetd::onnx
