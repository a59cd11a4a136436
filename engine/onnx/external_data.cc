// A tensor's place is a list of keys and values (onnx.proto): `location`, the file's name; `offset`, 0 where it is
// missing; `length`, up to the file's end where it is missing; and `checksum`, which nobody writes and we don't
// compute.
#include "engine/onnx/external_data.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
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

absl::Status NotRegular(absl::string_view file, absl::string_view kind) {
  return Fault(file, absl::StrCat("expected a regular file, got ", kind));
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

// A name without a slash has no path to leave the folder by.
bool IsPlainName(absl::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos && name.find('\0') == name.npos;
}

absl::Status CheckKind(absl::string_view file, const struct stat& info) {
  if (S_ISDIR(info.st_mode)) return NotRegular(file, "a folder");
  if (S_ISFIFO(info.st_mode)) return NotRegular(file, "a pipe");
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) return NotRegular(file, "a device");
  if (!S_ISREG(info.st_mode)) return NotRegular(file, "something else");
  if (info.st_nlink != 1) {  // the other name may lie in a folder that is not to be read by way of this one
    return Fault(file, absl::StrCat("expected a file of one name, got one with ", info.st_nlink, " hard links"));
  }
  return absl::OkStatus();
}

absl::Status CannotOpen(absl::string_view file, int error) {
  if (error == ELOOP) return NotRegular(file, "a symbolic link");
  if (error == ENXIO) return NotRegular(file, "a socket");
  if (error == ENOENT) return Fault(file, "there is no such file beside the model");
  return Fault(file, absl::StrCat("cannot be opened: ", std::strerror(error)));
}

}  // namespace

absl::StatusOr<ExternalData::File*> ExternalData::Open(const std::string& name) {
  if (const auto it = by_name_.find(name); it != by_name_.end()) return &it->second;
  // O_NONBLOCK: a pipe must not hold us up before we see that it is one.
  const int fd = open(absl::StrCat(folder_, "/", name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return CannotOpen(name, errno);
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  struct stat info {};
  if (fstat(fd, &info) != 0) return Fault(name, absl::StrCat("cannot be looked at: ", std::strerror(errno)));
  RESNETD_RETURN_IF_ERROR(CheckKind(name, info));
  const size_t size = static_cast<size_t>(info.st_size);
  if (size > kMaxExternalBytes - total_) {
    return Fault(name, absl::StrCat("expected at most ", kMaxExternalBytes,
                                    " bytes in all files beside the model, got ", total_, " and ", size));
  }
  std::shared_ptr<char[]> bytes = std::make_unique_for_overwrite<char[]>(size);
  for (size_t done = 0; done < size;) {
    const ssize_t n = read(fd, bytes.get() + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fault(name, absl::StrCat("cannot be read: ", std::strerror(errno)));
    if (n == 0) return Fault(name, absl::StrCat("expected ", size, " bytes, got ", done, ": it shrank meanwhile"));
    done += static_cast<size_t>(n);
  }
  total_ += size;
  const absl::string_view view(bytes.get(), size);
  files_.emplace_back(std::move(bytes), view);
  return &by_name_.emplace(name, File{.index = files_.size() - 1}).first->second;
}

absl::StatusOr<Bytes> ExternalData::Find(const TensorProto& tensor, size_t size) {
  RESNETD_ASSIGN_OR_RETURN(const Place place, ReadPlace(tensor));
  if (!IsPlainName(place.location)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "external data: location: expected the plain name of a file beside the model, got ", Quoted(place.location)));
  }
  if (folder_.empty()) return Fault(place.location, "expected the data inside this model's file: it has no folder");
  RESNETD_ASSIGN_OR_RETURN(File* const file, Open(place.location));
  const Bytes& bytes = files_[file->index];
  if (place.offset > bytes.size() || place.length.value_or(0) > bytes.size() - place.offset) {
    return Fault(place.location,
                 absl::StrCat("expected offset and length within the file's ", bytes.size(), " bytes, got offset ",
                              place.offset, " and length ", place.length.value_or(0)));
  }
  const size_t length = place.length.value_or(bytes.size() - place.offset);
  if (length != size) {
    return Fault(place.location, absl::StrCat("expected ", size, " bytes for the tensor's dims, got ", length));
  }
  if (size > bytes.size() - file->taken) {
    return Fault(place.location,
                 absl::StrCat("expected tensors that don't overlap, got more bytes in tensors than the ", bytes.size(),
                              " of the file"));
  }
  file->taken += size;
  return bytes.Part(bytes.view().substr(place.offset, size));
}

}  // namespace resnetd::onnx
