// A TensorProto holds its elements either as bytes (raw_data, little-endian) or as a typed list; never both, and as
// many as its dims say. Elements outside the file ("external data") are refused.
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/onnx/import.h"
#include "engine/status_macros.h"

namespace resnetd::onnx {
namespace {

constexpr int64_t kLargestTensor = int64_t{1} << 31;  // elements; a file is smaller than 2 GiB

absl::Status Fault(const TensorProto& t, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("tensor '", t.name(), "': ", what));
}

absl::StatusOr<int64_t> ElementCount(const TensorProto& t) {
  int64_t count = 1;
  for (int64_t d : t.dims()) {
    if (d < 0) return Fault(t, absl::StrCat("expected dims of at least 0, got ", d));
    if (d > 0 && count > kLargestTensor / d) return Fault(t, "its dims multiply to more than 2^31 elements");
    count *= d;
  }
  return count;
}

template <typename T, typename List>
absl::StatusOr<std::vector<T>> Elements(const TensorProto& t, int64_t count, const List& typed) {
  if (!t.raw_data().empty() && !typed.empty()) return Fault(t, "holds its elements twice, raw and typed");
  if (typed.empty()) {
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    if (t.raw_data().size() != bytes) {
      return Fault(t, absl::StrCat("expected ", bytes, " bytes for its dims, got ", t.raw_data().size()));
    }
    std::vector<T> out(static_cast<size_t>(count));
    if (bytes > 0) std::memcpy(out.data(), t.raw_data().data(), bytes);
    return out;
  }
  if (typed.size() != count)
    return Fault(t, absl::StrCat("expected ", count, " elements for its dims, got ", typed.size()));
  return std::vector<T>(typed.begin(), typed.end());
}

template <typename T, typename List>
absl::StatusOr<Operand> Integers(const TensorProto& t, int64_t count, const List& typed) {
  if (t.dims_size() > 1) return Fault(t, "expected integers along at most one axis");
  RESNETD_ASSIGN_OR_RETURN(const std::vector<T> values, Elements<T>(t, count, typed));
  return Ints{std::vector<int64_t>(values.begin(), values.end()), t.dims_size() == 0};
}

}  // namespace

absl::StatusOr<Operand> ReadTensor(const TensorProto& t) {
  if (t.data_location() == TensorProto::EXTERNAL || t.external_data_size() > 0) {
    return Fault(t, "its data lies outside the model file; expected it inside (save the model as one file)");
  }
  RESNETD_ASSIGN_OR_RETURN(const int64_t count, ElementCount(t));
  switch (t.data_type()) {
    case TensorProto::FLOAT: {
      RESNETD_ASSIGN_OR_RETURN(std::vector<float> data, Elements<float>(t, count, t.float_data()));
      if (count == 0) return Fault(t, "is empty");
      return std::make_shared<const graph::Weights>(
          graph::Weights{t.name(), graph::Dims(t.dims().begin(), t.dims().end()),
                         std::make_shared<const std::vector<float>>(std::move(data))});
    }
    case TensorProto::INT64:
      return Integers<int64_t>(t, count, t.int64_data());
    case TensorProto::INT32:
      return Integers<int32_t>(t, count, t.int32_data());
    case TensorProto::BOOL:
      return Integers<uint8_t>(t, count, t.int32_data());
    default:
      return Fault(t, absl::StrCat("expected FLOAT, INT64 or INT32 elements, got ",
                                   TensorProto::DataType_Name(static_cast<TensorProto::DataType>(t.data_type()))));
  }
}

}  // namespace resnetd::onnx
