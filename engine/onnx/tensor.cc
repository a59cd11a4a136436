// A TensorProto holds its elements as bytes (raw_data, little-endian), as a typed list, or in a file beside the model
// (external data, bytes as in raw_data); only one of them, and as many as its dims say.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/import.h"

namespace resnetd::onnx {
namespace {

constexpr int64_t kLargestTensor = int64_t{1} << 31;  // elements; a file is smaller than 2 GiB
constexpr int64_t kMostIntegers = 256;                // of one tensor; pads of a feature map are eight
constexpr int kMostAxes = 8;

absl::Status Fault(const TensorProto& t, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("tensor ", Quoted(t.name()), ": ", what));
}

absl::StatusOr<int64_t> ElementCount(const TensorProto& t) {
  if (t.dims_size() > kMostAxes)
    return Fault(t, absl::StrCat("expected at most ", kMostAxes, " axes, got ", t.dims_size()));
  int64_t count = 1;
  for (int64_t d : t.dims()) {
    if (d < 0) return Fault(t, absl::StrCat("expected dims of at least 0, got ", d));
    if (d > 0 && count > kLargestTensor / d) return Fault(t, "its dims multiply to more than 2^31 elements");
    count *= d;
  }
  return count;
}

// That the elements are in one place at most.
absl::Status CheckPlaces(const TensorProto& t, absl::string_view raw_data) {
  const bool external = t.data_location() == TensorProto::EXTERNAL;
  if (!external && t.external_data_size() > 0)
    return Fault(t, "names external data, but data_location is not EXTERNAL");
  if (t.has_segment()) return Fault(t, "is a segment of a tensor; expected a whole one");
  const int typed = !t.float_data().empty() + !t.double_data().empty() + !t.int32_data().empty() +
                    !t.int64_data().empty() + !t.uint64_data().empty() + !t.string_data().empty();
  if (typed + !raw_data.empty() + external <= 1) return absl::OkStatus();
  return Fault(t, "holds its elements twice; expected one of raw data, a typed list and external data");
}

template <typename T, typename List>
absl::StatusOr<std::vector<T>> Elements(const TensorProto& t, int64_t count, const List& typed, absl::string_view bytes,
                                        ExternalData& external) {
  if (!typed.empty()) {
    if (typed.size() == count) return std::vector<T>(typed.begin(), typed.end());
    return Fault(t, absl::StrCat("expected ", count, " elements for its dims, got ", typed.size()));
  }
  const size_t size = static_cast<size_t>(count) * sizeof(T);
  if (t.data_location() == TensorProto::EXTERNAL) {
    const absl::StatusOr<absl::string_view> found = external.Bytes(t, size);
    if (!found.ok()) return Fault(t, found.status().message());
    bytes = *found;
  }
  if (bytes.size() != size) {
    return Fault(t, absl::StrCat("expected ", size, " bytes for its dims, got ", bytes.size()));
  }
  // Part by part (the bytes may not be aligned), since a vector of the whole size would be filled with zeros first.
  std::vector<T> out;
  out.reserve(static_cast<size_t>(count));
  std::array<T, 4096> part;
  while (!bytes.empty()) {
    const size_t elements = std::min(part.size(), bytes.size() / sizeof(T));
    std::memcpy(part.data(), bytes.data(), elements * sizeof(T));
    out.insert(out.end(), part.begin(), part.begin() + static_cast<ptrdiff_t>(elements));
    bytes.remove_prefix(elements * sizeof(T));
  }
  return out;
}

template <typename T, typename List>
absl::StatusOr<Operand> Integers(const TensorProto& t, int64_t count, const List& typed, absl::string_view raw_data,
                                 ExternalData& external) {
  if (t.dims_size() > 1) return Fault(t, "expected integers along at most one axis");
  if (count > kMostIntegers) {
    return Fault(t, absl::StrCat("expected at most ", kMostIntegers, " integers, got ", count));
  }
  RESNETD_ASSIGN_OR_RETURN(const std::vector<T> values, (Elements<T>(t, count, typed, raw_data, external)));
  return Ints{std::vector<int64_t>(values.begin(), values.end()), graph::Dims(t.dims().begin(), t.dims().end())};
}

}  // namespace

absl::StatusOr<Operand> ReadTensor(const TensorProto& t, absl::string_view raw_data, ExternalData& external) {
  RESNETD_RETURN_IF_ERROR(CheckPlaces(t, raw_data));
  RESNETD_ASSIGN_OR_RETURN(const int64_t count, ElementCount(t));
  switch (t.data_type()) {
    case TensorProto::FLOAT: {
      if (count == 0) return Fault(t, "is empty");
      RESNETD_ASSIGN_OR_RETURN(std::vector<float> data, Elements<float>(t, count, t.float_data(), raw_data, external));
      return std::make_shared<const graph::Weights>(
          graph::Weights{t.name(), graph::Dims(t.dims().begin(), t.dims().end()),
                         std::make_shared<const std::vector<float>>(std::move(data))});
    }
    case TensorProto::INT64:
      return Integers<int64_t>(t, count, t.int64_data(), raw_data, external);
    case TensorProto::INT32:
      return Integers<int32_t>(t, count, t.int32_data(), raw_data, external);
    case TensorProto::BOOL:
      return Integers<uint8_t>(t, count, t.int32_data(), raw_data, external);
    default:
      return Fault(t, absl::StrCat("expected FLOAT, INT64 or INT32 elements, got ",
                                   TensorProto::DataType_Name(static_cast<TensorProto::DataType>(t.data_type()))));
  }
}

}  // namespace resnetd::onnx
