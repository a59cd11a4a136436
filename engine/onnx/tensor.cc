// A TensorProto holds its elements as bytes (raw_data, little-endian), as a typed list, or in a file beside the model
// (external data, bytes as in raw_data); only one of them, and as many as its dims say. Halves in a typed list are the
// low 16 bits of an int32 each. All floats become float32: halves exactly, doubles rounded.
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "engine/onnx/element_types.h"
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

// The `count` elements that a typed list holds.
template <typename T, typename List>
absl::StatusOr<std::vector<T>> Listed(const TensorProto& t, int64_t count, const List& typed) {
  if (typed.size() == count) return std::vector<T>(typed.begin(), typed.end());
  return Fault(t, absl::StrCat("expected ", count, " elements for its dims, got ", typed.size()));
}

// The `size` bytes of its elements, where no list holds them.
absl::StatusOr<Bytes> ElementBytes(const TensorProto& t, size_t size, Bytes raw_data, ExternalData& external) {
  if (t.data_location() == TensorProto::EXTERNAL) {
    absl::StatusOr<Bytes> found = external.Find(t, size);
    return found.ok() ? found : Fault(t, found.status().message());
  }
  if (raw_data.size() == size) return raw_data;
  return Fault(t, absl::StrCat("expected ", size, " bytes for its dims, got ", raw_data.size()));
}

// Halves of either kind: `widen` is exact.
absl::StatusOr<graph::Floats> ReadHalves(const TensorProto& t, int64_t count, Bytes raw_data, ExternalData& external,
                                         float (*widen)(uint16_t)) {
  std::vector<float> out;
  if (!t.int32_data().empty()) {
    RESNETD_ASSIGN_OR_RETURN(const std::vector<int32_t> listed, Listed<int32_t>(t, count, t.int32_data()));
    out.reserve(listed.size());
    for (const int32_t bits : listed) out.push_back(widen(static_cast<uint16_t>(bits)));
    return out;
  }
  RESNETD_ASSIGN_OR_RETURN(
      const Bytes bytes, ElementBytes(t, static_cast<size_t>(count) * sizeof(uint16_t), std::move(raw_data), external));
  out.resize(static_cast<size_t>(count));
  const char* from = bytes.view().data();
  for (float& value : out) {
    uint16_t bits = 0;
    std::memcpy(&bits, from, sizeof bits);
    value = widen(bits);
    from += sizeof bits;
  }
  return out;
}

absl::StatusOr<graph::Floats> ReadDoubles(const TensorProto& t, int64_t count, Bytes raw_data, ExternalData& external) {
  std::vector<float> out;
  if (!t.double_data().empty()) {
    RESNETD_ASSIGN_OR_RETURN(out, Listed<float>(t, count, t.double_data()));
    return out;
  }
  RESNETD_ASSIGN_OR_RETURN(const Bytes bytes,
                           ElementBytes(t, static_cast<size_t>(count) * sizeof(double), std::move(raw_data), external));
  out.resize(static_cast<size_t>(count));
  const char* from = bytes.view().data();
  for (float& value : out) {
    double exact = 0;
    std::memcpy(&exact, from, sizeof exact);
    value = static_cast<float>(exact);
    from += sizeof exact;
  }
  return out;
}

absl::StatusOr<graph::Floats> ReadFloats(const TensorProto& t, int64_t count, Bytes raw_data, ExternalData& external) {
  if (t.data_type() == TensorProto::FLOAT16) return ReadHalves(t, count, std::move(raw_data), external, FromFloat16);
  if (t.data_type() == TensorProto::BFLOAT16) return ReadHalves(t, count, std::move(raw_data), external, FromBfloat16);
  if (t.data_type() == TensorProto::DOUBLE) return ReadDoubles(t, count, std::move(raw_data), external);
  if (!t.float_data().empty()) return Listed<float>(t, count, t.float_data());
  RESNETD_ASSIGN_OR_RETURN(Bytes bytes,
                           ElementBytes(t, static_cast<size_t>(count) * sizeof(float), std::move(raw_data), external));
  return graph::Floats::View(std::move(bytes));
}

template <typename T, typename List>
absl::StatusOr<std::vector<T>> Elements(const TensorProto& t, int64_t count, const List& typed, Bytes raw_data,
                                        ExternalData& external) {
  if (!typed.empty()) return Listed<T>(t, count, typed);
  RESNETD_ASSIGN_OR_RETURN(const Bytes bytes,
                           ElementBytes(t, static_cast<size_t>(count) * sizeof(T), std::move(raw_data), external));
  std::vector<T> out(static_cast<size_t>(count));
  if (count > 0) std::memcpy(out.data(), bytes.view().data(), bytes.size());
  return out;
}

// Integers along several axes are places of elements (operators/places.cc). They are kept as floats, which hold such
// numbers exactly: what has been read of these is shared, and no chain of nodes can multiply it.
absl::StatusOr<Operand> PlacesAsFloats(const TensorProto& t, const std::vector<int64_t>& values) {
  std::vector<float> floats;
  for (const int64_t v : values) {
    if (v < 0 || v > kLargestPlace) {
      return Fault(t, absl::StrCat("expected integers along at most one axis, or from 0 to ", kLargestPlace));
    }
    floats.push_back(static_cast<float>(v));
  }
  return graph::MakeWeights(t.name(), graph::Dims(t.dims().begin(), t.dims().end()), std::move(floats));
}

template <typename T, typename List>
absl::StatusOr<Operand> Integers(const TensorProto& t, int64_t count, const List& typed, Bytes raw_data,
                                 ExternalData& external) {
  const bool list = t.dims_size() <= 1;
  const int64_t most = list ? kMostIntegers : kMostPlaces;
  if (count > most) return Fault(t, absl::StrCat("expected at most ", most, " integers, got ", count));
  RESNETD_ASSIGN_OR_RETURN(const std::vector<T> values, (Elements<T>(t, count, typed, std::move(raw_data), external)));
  if (!list) return PlacesAsFloats(t, {values.begin(), values.end()});
  return Ints{std::vector<int64_t>(values.begin(), values.end()), graph::Dims(t.dims().begin(), t.dims().end())};
}

}  // namespace

absl::StatusOr<Operand> ReadTensor(const TensorProto& t, Bytes raw_data, ExternalData& external) {
  RESNETD_RETURN_IF_ERROR(CheckPlaces(t, raw_data.view()));
  RESNETD_ASSIGN_OR_RETURN(const int64_t count, ElementCount(t));
  switch (t.data_type()) {
    case TensorProto::FLOAT:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
    case TensorProto::DOUBLE: {
      // Resize has an empty list for what it leaves out. As one of integers no operator takes it for numbers.
      if (count == 0 && t.dims_size() == 1) return Ints::List({});
      if (count == 0) return Fault(t, "is empty");
      RESNETD_ASSIGN_OR_RETURN(graph::Floats data, ReadFloats(t, count, std::move(raw_data), external));
      return graph::MakeWeights(t.name(), graph::Dims(t.dims().begin(), t.dims().end()), std::move(data));
    }
    case TensorProto::INT64:
      return Integers<int64_t>(t, count, t.int64_data(), std::move(raw_data), external);
    case TensorProto::INT32:
      return Integers<int32_t>(t, count, t.int32_data(), std::move(raw_data), external);
    case TensorProto::BOOL:
      return Integers<uint8_t>(t, count, t.int32_data(), std::move(raw_data), external);
    default:
      return Fault(t, absl::StrCat("expected elements of FLOAT, FLOAT16, BFLOAT16, DOUBLE, INT64, INT32 or BOOL, got ",
                                   TypeName(t.data_type())));
  }
}

}  // namespace resnetd::onnx
