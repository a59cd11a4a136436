// Constants, and the integer arithmetic on shapes and pads with which exporters surround the operators that do the
// work. It is computed here and leaves no node behind.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/element_types.h"
#include "engine/onnx/fold.h"
#include "engine/onnx/operators/importers.h"

namespace resnetd::onnx {
namespace {

using graph::Dims;
using graph::ValueId;
using graph::WeightsRef;

constexpr int64_t kLargestFill = int64_t{1} << 31;

// The one value of an input or attribute.
absl::StatusOr<int64_t> One(absl::string_view what, const Ints& ints) {
  if (ints.values.size() == 1) return ints.values[0];
  return Expected(what, "one value", ToString(ints.values));
}

// One value in every element. In an operation with an activation the batch in front is as good as 1.
absl::Status FillWithFloats(const NodeReader& n, Import& into, const Ints& shape, const graph::Floats& value) {
  if (value.size() != 1) return Expected("attribute 'value'", "one value", absl::StrCat(value.size()));
  Dims dims(shape.values.begin(), shape.values.end());
  if (!dims.empty() && dims[0] == Ints::kBatch) dims[0] = 1;
  if (dims.size() > kMostAxes) return Expected("shape", absl::StrCat("at most ", kMostAxes, " axes"), "more");
  int64_t size = 1;
  for (const int64_t d : dims) {
    if (d < 1 || d > kLargestFill / size) {
      return Expected("shape", absl::StrCat("positive sizes, ", kLargestFill, " elements at most"),
                      ToString(shape.values));
    }
    size *= d;
  }
  RESNETD_RETURN_IF_ERROR(into.Spend(size));
  return into.Alias(n, MakeWeights(n.name(), dims, std::vector<float>(static_cast<size_t>(size), value.front())));
}

// Floats without their fractions, as a Cast makes integers of them.
absl::StatusOr<Ints> Truncated(const graph::Weights& floats) {
  constexpr float kLargest = 0x1p62f;
  const int64_t size = static_cast<int64_t>(floats.data.size());
  if (size > kMostIntegers)
    return Expected("input", absl::StrCat("at most ", kMostIntegers, " floats"), absl::StrCat(size));
  Ints out{{}, floats.dims};
  for (const float value : floats.data) {
    if (!(value >= -kLargest && value <= kLargest))
      return Expected("input", "floats of up to 2^62", absl::StrCat(value));
    out.values.push_back(static_cast<int64_t>(value));
  }
  return out;
}

}  // namespace

absl::Status ImportConstant(NodeReader& n, Import& into) {
  if (const TensorProto* tensor = n.Tensor("value")) {
    RESNETD_ASSIGN_OR_RETURN(Operand operand, into.Read(*tensor));
    return into.Alias(n, std::move(operand));
  }
  if (n.Has("value_int")) return into.Alias(n, Ints::Scalar(n.Int("value_int", 0)));
  if (n.Has("value_ints")) {
    std::vector<int64_t> values = n.Ints("value_ints", {});
    if (static_cast<int64_t>(values.size()) > kMostIntegers) {
      return Expected("attribute 'value_ints'", absl::StrCat("at most ", kMostIntegers), absl::StrCat(values.size()));
    }
    return into.Alias(n, Ints::List(std::move(values)));
  }
  if (n.Has("value_float"))
    return into.Alias(n, MakeWeights(n.name(), {}, std::vector<float>{n.Float("value_float", 0)}));
  if (n.Has("value_floats")) {
    std::vector<float> values = n.Floats("value_floats");
    const int64_t size = static_cast<int64_t>(values.size());
    if (size == 0) return Expected("attribute 'value_floats'", "at least one value", "none");
    return into.Alias(n, MakeWeights(n.name(), {size}, std::move(values)));
  }
  return absl::InvalidArgumentError("expected a value that is a tensor, floats or integers");
}

absl::Status ImportConstantOfShape(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const Ints shape, into.Integers(n, 0));
  const TensorProto* tensor = n.Tensor("value");
  Operand operand = MakeWeights(n.name(), {1}, std::vector<float>{0});
  if (tensor != nullptr) {
    RESNETD_ASSIGN_OR_RETURN(operand, into.Read(*tensor));
  }
  const Ints* value = std::get_if<Ints>(&operand);
  if (value == nullptr) return FillWithFloats(n, into, shape, std::get<WeightsRef>(operand)->data);
  RESNETD_ASSIGN_OR_RETURN(const int64_t size, One("shape", shape));
  if (size < 0 || size > kMostIntegers) {
    return Expected("shape", absl::StrCat("0 to ", kMostIntegers), ToString({size}));
  }
  RESNETD_ASSIGN_OR_RETURN(const int64_t fill, One("attribute 'value'", *value));
  return into.Alias(n, Ints::List(std::vector<int64_t>(static_cast<size_t>(size), fill)));
}

absl::Status ImportShape(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(const Operand src, into.Any(n, 0));
  std::vector<int64_t> shape;
  if (const ValueId* value = std::get_if<ValueId>(&src)) {
    const Dims& dims = into.dims(*value);
    shape.assign(dims.begin(), dims.end());
    shape.insert(shape.begin(), Ints::kBatch);
  } else {
    shape.assign(DimsOf(src).begin(), DimsOf(src).end());
  }
  const int64_t rank = static_cast<int64_t>(shape.size());
  if (rank > kMostIntegers) return Expected("input", absl::StrCat("at most ", kMostIntegers, " axes"), "more");
  const auto bound = [rank](int64_t axis) { return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank); };
  const int64_t start = bound(n.Int("start", 0)), end = std::max(start, bound(n.Int("end", rank)));
  return into.Alias(n, Ints::List({shape.begin() + start, shape.begin() + end}));
}

absl::Status ImportGather(NodeReader& n, Import& into) {
  if (into.IsActivation(n, 0)) return GatherRows(n, into);
  RESNETD_ASSIGN_OR_RETURN(const Ints data, into.Integers(n, 0));
  RESNETD_ASSIGN_OR_RETURN(Ints indices, into.Integers(n, 1));
  if (data.dims.empty()) return Expected("input 0", "a list of integers", "one integer");
  if (const int64_t axis = n.Int("axis", 0); axis != 0 && axis != -1) {
    return Expected("attribute 'axis'", "0", absl::StrCat(axis));
  }
  const int64_t size = data.dims[0];
  if (static_cast<int64_t>(indices.values.size()) > kMostIntegers) {
    return Expected("indices", absl::StrCat("at most ", kMostIntegers), absl::StrCat(indices.values.size()));
  }
  for (int64_t& index : indices.values) {
    if (index < -size || index >= size) {
      return Expected("index", absl::StrCat(-size, "..", size - 1), ToString({index}));
    }
    index += index < 0 ? size : 0;
  }
  Ints taken = FoldTake(data, 0, indices.values);
  return into.Alias(n, Ints{std::move(taken.values), indices.dims});
}

namespace {

// Floats of every width are float32 here, and stay what they are; constants become what is asked for.
absl::Status CastTo(NodeReader& n, Import& into, Operand src, int64_t to) {
  n.Int("saturate", 1);          // of eight-bit floats
  n.String("round_mode", "up");  // likewise
  const bool to_integers = to == TensorProto::INT64 || to == TensorProto::INT32;
  const Ints* ints = std::get_if<Ints>(&src);
  if (ints == nullptr && IsFloating(to)) return into.Alias(n, std::move(src));
  if (const auto* floats = std::get_if<graph::WeightsRef>(&src); floats != nullptr && to_integers) {
    RESNETD_ASSIGN_OR_RETURN(Ints truncated, Truncated(**floats));
    return into.Alias(n, std::move(truncated));
  }
  const std::string got = TypeName(to);
  if (ints == nullptr) return Expected("attribute 'to'", "FLOAT or another type of floats, as the input is", got);
  if (to_integers) return into.Alias(n, std::move(src));
  if (!IsFloating(to)) return Expected("attribute 'to'", "INT64, INT32 or a type of floats", got);
  if (ints->values.empty()) return Expected("input", "at least one integer", "none");
  if (std::find(ints->values.begin(), ints->values.end(), Ints::kBatch) != ints->values.end()) {
    return Expected("input", "integers known at load", ToString(ints->values));
  }
  return into.Alias(n, MakeWeights(n.name(), ints->dims, std::vector<float>(ints->values.begin(), ints->values.end())));
}

}  // namespace

absl::Status ImportCast(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(Operand src, into.Any(n, 0));
  return CastTo(n, into, std::move(src), n.Int("to", 0));
}

// The type is that of another operand.
absl::Status ImportCastLike(NodeReader& n, Import& into) {
  RESNETD_ASSIGN_OR_RETURN(Operand src, into.Any(n, 0));
  RESNETD_ASSIGN_OR_RETURN(const Operand like, into.Any(n, 1));
  const bool integers = std::holds_alternative<Ints>(like);
  return CastTo(n, into, std::move(src), integers ? TensorProto::INT64 : TensorProto::FLOAT);
}

// Floor and Ceil, of sizes that were multiplied by a factor.
absl::Status ImportRounded(NodeReader& n, Import& into, float (*round)(float)) {
  RESNETD_ASSIGN_OR_RETURN(const graph::WeightsRef src, into.Floats(n, 0));
  RESNETD_RETURN_IF_ERROR(into.Spend(static_cast<int64_t>(src->data.size())));
  std::vector<float> data = src->data.Copy();
  std::transform(data.begin(), data.end(), data.begin(), round);
  return into.Alias(n, MakeWeights(n.name(), src->dims, std::move(data)));
}

// Identity, and Dropout at inference.
absl::Status ImportSame(NodeReader& n, Import& into) {
  n.Float("ratio", 0.5f);
  n.Int("seed", 0);
  RESNETD_RETURN_IF_ERROR(into.ExpectUnread(n, 1));  // Dropout's mask
  if (into.HasInput(n, 2)) {
    RESNETD_ASSIGN_OR_RETURN(const Ints training, into.Integers(n, 2));
    if (training.values != std::vector<int64_t>{0}) return Expected("training_mode", "false", "true");
  }
  RESNETD_ASSIGN_OR_RETURN(Operand src, into.Any(n, 0));
  return into.Alias(n, std::move(src));
}

}  // namespace resnetd::onnx
