// A tensor's place is a list of keys and values (onnx.proto): `location`, the file's path from the model's; `offset`, 0
// where it is missing; `length`, up to the file's end where it is missing; and `checksum`, which nobody writes and we
// don't compute.
#include "engine/onnx/external_data.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd::onnx {
namespace {

struct Place {
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
};

absl::Status Fault(absl::string_view file, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("external data ", Quoted(file), ": ", what));
}

absl::StatusOr<Place> ReadPlace(const TensorProto& tensor) {
  Place place;
  absl::flat_hash_set<std::string> keys;
  for (const auto& entry : tensor.external_data()) {
    if (!keys.insert(entry.key()).second) {
      return absl::InvalidArgumentError(absl::StrCat("external data: key ", Quoted(entry.key()), " comes twice"));
    }
    uint64_t number = 0;
    const bool is_number = entry.key() == "offset" || entry.key() == "length";
    if (is_number && !absl::SimpleAtoi(entry.value(), &number)) {
      return absl::InvalidArgumentError(absl::StrCat("external data: ", Echo(entry.key()),
                                                     ": expected a number of bytes, got ", Quoted(entry.value())));
    }
    if (entry.key() == "location") {
      place.location = entry.value();
    } else if (entry.key() == "offset") {
      place.offset = number;
    } else if (entry.key() == "length") {
      place.length = number;
    } else if (entry.key() != "checksum") {
      return absl::InvalidArgumentError(
          absl::StrCat("external data: expected location, offset, length and checksum, got key ", Quoted(entry.key())));
    }
  }
  return place;
}

// Every fault here is the model file's, or of what lies beside it.
absl::Status AsFault(const absl::Status& status) {
  return absl::InvalidArgumentError(status.message());
}

}  // namespace

absl::StatusOr<size_t> ExternalData::Open(const std::string& location) {
  if (const auto it = by_location_.find(location); it != by_location_.end()) return it->second;
  const std::string name = absl::StrCat("external data ", Quoted(location));
  const absl::StatusOr<OpenFile> file = folder_.OpenRegular(location, name);
  if (absl::IsNotFound(file.status())) return Fault(location, "there is no such file beside the model");
  if (!file.ok()) return AsFault(file.status());
  // A link, a hard link and a/../b are further names of a file.
  const auto same = absl::c_find_if(
      read_, [&](const File& known) { return known.device == file->device && known.inode == file->inode; });
  if (same != read_.end()) {
    return by_location_.emplace(location, static_cast<size_t>(same - read_.begin())).first->second;
  }
  if (file->bytes > kMaxExternalBytes - total_) {
    return Fault(location, absl::StrCat("expected at most ", kMaxExternalBytes,
                                        " bytes in all files beside the model, got ", total_, " and ", file->bytes));
  }
  absl::StatusOr<std::string> bytes = ReadWhole(*file, kMaxExternalBytes, name);
  if (!bytes.ok()) return AsFault(bytes.status());
  total_ += bytes->size();
  files_.emplace_back(*std::move(bytes));
  read_.push_back({.device = file->device, .inode = file->inode});
  return by_location_.emplace(location, files_.size() - 1).first->second;
}

absl::StatusOr<Bytes> ExternalData::Find(const TensorProto& tensor, size_t size) {
  RESNETD_ASSIGN_OR_RETURN(const Place place, ReadPlace(tensor));
  if (folder_.is_nowhere())
    return Fault(place.location, "expected the data inside this model's file: it has no folder");
  RESNETD_ASSIGN_OR_RETURN(const size_t index, Open(place.location));
  const Bytes& bytes = files_[index];
  File& file = read_[index];
  if (place.offset > bytes.size() || place.length.value_or(0) > bytes.size() - place.offset) {
    return Fault(place.location,
                 absl::StrCat("expected offset and length within the file's ", bytes.size(), " bytes, got offset ",
                              place.offset, " and length ", place.length.value_or(0)));
  }
  const size_t length = place.length.value_or(bytes.size() - place.offset);
  if (length != size) {
    return Fault(place.location, absl::StrCat("expected ", size, " bytes for the tensor's dims, got ", length));
  }
  if (size > bytes.size() - file.taken) {
    return Fault(place.location,
                 absl::StrCat("expected tensors that don't overlap, got more bytes in tensors than the ", bytes.size(),
                              " of the file"));
  }
  file.taken += size;
  return bytes.Part(bytes.view().substr(place.offset, size));
}

}  // namespace resnetd::onnx
