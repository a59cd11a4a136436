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

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"

namespace resnetd {
namespace {

namespace fs = std::filesystem;

absl::Status NotRegular(const std::string& path) {
  return absl::InvalidArgumentError(absl::StrCat(QuotedPath(path), ": expected a regular file"));
}

// Two texts replace ErrnoToStatus()'s, which would mislead: ENXIO is a socket, ENOTDIR a path through a plain file.
absl::Status CannotOpen(int error, const std::string& path) {
  if (error == ENXIO) return NotRegular(path);
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

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  // O_NONBLOCK: a pipe must not hold us up before we see that it is one.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return CannotOpen(errno, path);
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  struct stat info {};
  if (fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot look at ", QuotedPath(path)));
  if (!S_ISREG(info.st_mode)) return NotRegular(path);
  if (static_cast<size_t>(info.st_size) > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(QuotedPath(path), ": expected at most ", max_bytes, " bytes, got ", info.st_size));
  }
  // Part by part, since a string of the whole size would be filled with zeros first.
  std::string content;
  content.reserve(static_cast<size_t>(info.st_size));
  std::array<char, 1 << 16> part;
  while (content.size() <= static_cast<size_t>(info.st_size)) {
    const ssize_t n = read(fd, part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", QuotedPath(path)));
    if (n == 0) return content;
    content.append(part.data(), static_cast<size_t>(n));
  }
  return absl::UnknownError(absl::StrCat(QuotedPath(path), " grew while it was read"));
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
