#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd {
namespace {

namespace fs = std::filesystem;

absl::Status NotRegular(absl::string_view name, absl::string_view kind) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": expected a regular file, got ", kind));
}

absl::Status CannotLookAt(absl::string_view name) {
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot look at ", name));
}

// Two texts replace ErrnoToStatus()'s, which would mislead: ENXIO is a socket, ENOTDIR a path through a plain file.
absl::Status CannotOpen(int error, const std::string& path) {
  if (error == ENXIO) return NotRegular(QuotedPath(path), "a socket");
  const std::string what = absl::StrCat("cannot open ", QuotedPath(path));
  if (error == ENOTDIR) return absl::NotFoundError(absl::StrCat(what, ": Not a directory"));
  return absl::ErrnoToStatus(error, what);
}

// If the path is a link, its target is written and the link stays.
fs::path TargetOf(const std::string& path) {
  std::error_code error;
  fs::path target = fs::canonical(path, error);
  return error ? fs::path(path) : target;
}

// A plain file, or what is to be one, appears when it is whole; a device or a pipe is written to.
bool IsReplaced(const fs::path& target) {
  std::error_code ignored;
  return !fs::exists(target, ignored) || fs::is_regular_file(target, ignored);
}

}  // namespace

absl::StatusOr<OpenFile> OpenFile::Of(Descriptor descriptor, absl::string_view name) {
  RESNETD_RETURN_IF_ERROR(CheckRegular(descriptor, name));
  struct stat info {};
  if (fstat(descriptor.get(), &info) != 0) return CannotLookAt(name);
  return OpenFile{std::move(descriptor), static_cast<size_t>(info.st_size), info.st_dev, info.st_ino};
}

absl::Status CheckRegular(const Descriptor& descriptor, absl::string_view name) {
  struct stat info {};
  if (fstat(descriptor.get(), &info) != 0) return CannotLookAt(name);
  if (S_ISDIR(info.st_mode)) return NotRegular(name, "a folder");
  if (S_ISFIFO(info.st_mode)) return NotRegular(name, "a pipe");
  if (S_ISSOCK(info.st_mode)) return NotRegular(name, "a socket");
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) return NotRegular(name, "a device");
  return S_ISREG(info.st_mode) ? absl::OkStatus() : NotRegular(name, "something else");
}

absl::StatusOr<std::string> ReadWhole(const OpenFile& file, size_t max_bytes, absl::string_view name) {
  if (file.bytes > max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": expected at most ", max_bytes, " bytes, got ", file.bytes));
  }
  // Part by part, since a string of the whole size would be filled with zeros first.
  std::string content;
  content.reserve(file.bytes);
  std::array<char, 1 << 16> part;
  while (content.size() <= file.bytes) {
    const ssize_t n = read(file.descriptor.get(), part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, absl::StrCat(name, ": cannot be read"));
    if (n == 0 && content.size() == file.bytes) return content;
    if (n == 0) {
      return absl::UnknownError(absl::StrCat(name, ": expected ", file.bytes, " bytes, got ", content.size(),
                                             ": it shrank while it was read"));
    }
    content.append(part.data(), static_cast<size_t>(n));
  }
  return absl::UnknownError(absl::StrCat(name, " grew while it was read"));
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  // O_NONBLOCK: a pipe must not hold us up before we see that it is one.
  Descriptor descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!descriptor.is_open()) return CannotOpen(errno, path);
  const std::string name = QuotedPath(path);
  RESNETD_ASSIGN_OR_RETURN(const OpenFile file, OpenFile::Of(std::move(descriptor), name));
  return ReadWhole(file, max_bytes, name);
}

absl::Status WriteFile(const std::string& path, absl::Span<const absl::string_view> parts) {
  const fs::path target = TargetOf(path);
  const fs::path written = IsReplaced(target) ? fs::path(absl::StrCat(target.string(), ".partial-", getpid())) : target;
  std::ofstream file(written, std::ios::binary | std::ios::trunc);
  for (const absl::string_view part : parts) file.write(part.data(), static_cast<std::streamsize>(part.size()));
  file.close();
  std::error_code error;
  if (!file) error = std::error_code(errno != 0 ? errno : EIO, std::generic_category());
  if (!error && written != target) fs::rename(written, target, error);
  if (!error) return absl::OkStatus();
  std::error_code ignored;
  if (written != target) fs::remove(written, ignored);
  return absl::UnavailableError(absl::StrCat("cannot write ", EchoPath(path), ": ", error.message()));
}

std::string ReadKernelFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace resnetd
