// Tensors are walked in the row-major order of the result, an offset into each operand being kept beside the index: an
// axis that an operand repeats has stride 0 there, one that it has elsewhere has that one's stride.
#include "engine/onnx/fold.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd::onnx {
namespace {

using graph::BinaryKind;
using graph::Dims;
using graph::WeightsRef;

constexpr int64_t kLargestResult = int64_t{1} << 31;

// Returns the strides of a tensor of `dims`, aligned with the last axes of a result of `rank`.
Dims BroadcastStrides(const Dims& dims, size_t rank) {
  Dims strides(rank, 0);
  int64_t stride = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    if (dims[i] != 1) strides[rank - dims.size() + i] = stride;
    stride *= dims[i];
  }
  return strides;
}

// Calls visit(a, b) for each element of a result of `dims`, `a` and `b` being offsets by those strides.
template <typename Visit>
void Walk(const Dims& dims, const Dims& strides_a, const Dims& strides_b, const Visit& visit) {
  int64_t left = 1;
  for (int64_t d : dims) left *= d;
  Dims index(dims.size(), 0);
  for (int64_t a = 0, b = 0; left > 0; --left) {
    visit(a, b);
    for (size_t i = dims.size(); i-- > 0;) {
      a += strides_a[i], b += strides_b[i];
      if (++index[i] < dims[i]) break;
      a -= strides_a[i] * dims[i], b -= strides_b[i] * dims[i];
      index[i] = 0;
    }
  }
}

absl::StatusOr<Dims> Broadcast(const Dims& a, const Dims& b) {
  const size_t rank = std::max(a.size(), b.size());
  Dims out(rank, 1);
  int64_t size = 1;
  for (size_t i = 0; i < rank; ++i) {  // from behind
    const int64_t in_a = i < a.size() ? a[a.size() - 1 - i] : 1, in_b = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (in_a != in_b && in_a != 1 && in_b != 1) {
      return Expected("second operand", graph::ToString(a), graph::ToString(b));
    }
    const int64_t d = in_a == 1 ? in_b : in_a;
    if (d > 0 && size > kLargestResult / d) return Expected("result", "at most 2^31 elements", "more");
    size *= d;
    out[rank - 1 - i] = d;
  }
  return out;
}

template <typename List>
std::vector<typename List::value_type> Permuted(const List& data, const Dims& dims, absl::Span<const int64_t> perm,
                                                Dims& out) {
  Dims strides(dims.size(), 1), moved;
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  out.clear();
  for (int64_t axis : perm) {
    out.push_back(dims[axis]);
    moved.push_back(strides[axis]);
  }
  std::vector<typename List::value_type> result;
  result.reserve(data.size());
  Walk(out, moved, Dims(out.size(), 0), [&](int64_t from, int64_t) { result.push_back(data[from]); });
  return result;
}

float Compute(BinaryKind kind, float a, float b) {
  switch (kind) {
    case BinaryKind::kAdd:
      return a + b;
    case BinaryKind::kSub:
      return a - b;
    case BinaryKind::kMul:
      return a * b;
    case BinaryKind::kDiv:
      return a / b;
    case BinaryKind::kMax:
      return a > b ? a : b;
    case BinaryKind::kMin:
      return a < b ? a : b;
  }
  return 0;
}

// Integer division is towards zero, as in C.
absl::StatusOr<int64_t> Compute(BinaryKind kind, int64_t a, int64_t b) {
  const bool product = kind == BinaryKind::kMul || kind == BinaryKind::kDiv;
  const bool picks = kind == BinaryKind::kMax || kind == BinaryKind::kMin;
  const int64_t neutral = product ? 1 : 0;
  if (b == neutral && !picks) return a;
  if (a == neutral && !picks && graph::Commutes(kind)) return b;
  if (a == Ints::kBatch || b == Ints::kBatch) {
    return Expected("operands", "the batch size as it is", "arithmetic that would change it");
  }
  int64_t result = 0;
  bool fails = false;
  switch (kind) {
    case BinaryKind::kAdd:
      fails = __builtin_add_overflow(a, b, &result);
      break;
    case BinaryKind::kSub:
      fails = __builtin_sub_overflow(a, b, &result);
      break;
    case BinaryKind::kMul:
      fails = __builtin_mul_overflow(a, b, &result);
      break;
    case BinaryKind::kDiv:
      fails = b == 0 || (b == -1 && __builtin_sub_overflow(int64_t{0}, a, &result));
      if (!fails) result = a / b;
      break;
    case BinaryKind::kMax:
      result = std::max(a, b);
      break;
    case BinaryKind::kMin:
      result = std::min(a, b);
      break;
  }
  if (fails) return Expected("operands", "a result of 64 bits", absl::StrCat(a, " and ", b));
  return result;
}

}  // namespace

const Dims& DimsOf(const Operand& constant) {
  if (const Ints* ints = std::get_if<Ints>(&constant)) return ints->dims;
  return std::get<WeightsRef>(constant)->dims;
}

Operand WithDims(const Operand& constant, Dims dims) {
  if (const Ints* ints = std::get_if<Ints>(&constant)) return Ints{ints->values, std::move(dims)};
  const graph::Weights& floats = *std::get<WeightsRef>(constant);
  return MakeWeights(floats.name, std::move(dims), floats.data);
}

absl::Status CheckPermutation(absl::Span<const int64_t> perm, size_t rank) {
  std::vector<int64_t> sorted(perm.begin(), perm.end());
  std::sort(sorted.begin(), sorted.end());
  bool each_once = sorted.size() == rank;
  for (size_t i = 0; each_once && i < rank; ++i) each_once = sorted[i] == static_cast<int64_t>(i);
  return each_once ? absl::OkStatus()
                   : Expected("attribute 'perm'", absl::StrCat("each of ", rank, " axes once"), ToString(perm));
}

absl::StatusOr<Operand> FoldTranspose(Import& into, const Operand& constant, absl::Span<const int64_t> perm) {
  RESNETD_RETURN_IF_ERROR(CheckPermutation(perm, DimsOf(constant).size()));
  Dims dims;
  if (const Ints* ints = std::get_if<Ints>(&constant)) {
    std::vector<int64_t> values = Permuted(ints->values, ints->dims, perm, dims);
    return Ints{std::move(values), std::move(dims)};
  }
  const graph::Weights& floats = *std::get<WeightsRef>(constant);
  RESNETD_RETURN_IF_ERROR(into.Spend(static_cast<int64_t>(floats.data.size())));
  std::vector<float> data = Permuted(floats.data, floats.dims, perm, dims);
  return MakeWeights(floats.name, std::move(dims), std::move(data));
}

absl::StatusOr<WeightsRef> FoldTranspose(Import& into, const WeightsRef& matrix) {
  RESNETD_ASSIGN_OR_RETURN(const Operand transposed, FoldTranspose(into, matrix, {1, 0}));
  return std::get<WeightsRef>(transposed);
}

absl::StatusOr<Operand> FoldBinary(Import& into, BinaryKind kind, const Operand& a, const Operand& b) {
  if (a.index() != b.index()) return Expected("operands", "two of a type", "floats and integers");
  RESNETD_ASSIGN_OR_RETURN(Dims dims, Broadcast(DimsOf(a), DimsOf(b)));
  const Dims in_a = BroadcastStrides(DimsOf(a), dims.size()), in_b = BroadcastStrides(DimsOf(b), dims.size());
  int64_t size = 1;
  for (int64_t d : dims) size *= d;
  if (const WeightsRef* floats = std::get_if<WeightsRef>(&a)) {
    RESNETD_RETURN_IF_ERROR(into.Spend(size));
    const graph::Floats &left = (*floats)->data, &right = std::get<WeightsRef>(b)->data;
    std::vector<float> data;
    data.reserve(static_cast<size_t>(size));
    Walk(dims, in_a, in_b, [&](int64_t i, int64_t j) { data.push_back(Compute(kind, left[i], right[j])); });
    return MakeWeights((*floats)->name, std::move(dims), std::move(data));
  }
  if (size > kMostIntegers) return Expected("result", absl::StrCat("at most ", kMostIntegers, " integers"), "more");
  const std::vector<int64_t>&left = std::get<Ints>(a).values, &right = std::get<Ints>(b).values;
  absl::Status status;
  Ints out{{}, dims};
  Walk(dims, in_a, in_b, [&](int64_t i, int64_t j) {
    const absl::StatusOr<int64_t> value = Compute(kind, left[i], right[j]);
    if (!value.ok()) status.Update(value.status());
    out.values.push_back(value.value_or(0));
  });
  if (!status.ok()) return status;
  return out;
}

absl::StatusOr<Operand> FoldFunction(Import& into, const graph::Activation& function, const WeightsRef& constant) {
  using Kind = graph::ActivationKind;
  const auto compute = [&](float x) {
    switch (function.kind) {
      case Kind::kSqrt:
        return std::sqrt(x);
      case Kind::kExp:
        return std::exp(x);
      case Kind::kLog:
        return std::log(x);
      case Kind::kAbs:
        return std::abs(x);
      case Kind::kPow:
        return std::pow(x, function.alpha);
      default:
        return function.alpha * x + function.beta;
    }
  };
  switch (function.kind) {
    case Kind::kSqrt:
    case Kind::kExp:
    case Kind::kLog:
    case Kind::kAbs:
    case Kind::kPow:
    case Kind::kLinear:
      break;
    default:
      return Expected("input 0", "an activation", "a float constant");
  }
  RESNETD_RETURN_IF_ERROR(into.Spend(static_cast<int64_t>(constant->data.size())));
  std::vector<float> data = constant->data.Copy();
  std::transform(data.begin(), data.end(), data.begin(), compute);
  return MakeWeights(constant->name, constant->dims, std::move(data));
}

Ints FoldTake(const Ints& data, size_t axis, absl::Span<const int64_t> rows) {
  int64_t inner = 1, outer = 1;
  for (size_t i = 0; i < data.dims.size(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : data.dims[i];
  Ints out{{}, data.dims};
  out.dims[axis] = static_cast<int64_t>(rows.size());
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t row : rows) {
      const auto from = data.values.begin() + (o * data.dims[axis] + row) * inner;
      out.values.insert(out.values.end(), from, from + inner);
    }
  }
  return out;
}

}  // namespace resnetd::onnx
