#include "server/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace resnetd::server {
namespace {

absl::Status NotRegular(const std::string& path) {
  return absl::InvalidArgumentError(absl::StrCat("'", path, "': expected a regular file"));
}

// Where ErrnoToStatus() would mislead: ENXIO is a socket, ENOTDIR a path through something that is no folder.
absl::Status CannotOpen(int error, const std::string& path) {
  if (error == ENXIO) return NotRegular(path);
  const std::string what = absl::StrCat("cannot open '", path, "'");
  if (error == ENOTDIR) return absl::NotFoundError(absl::StrCat(what, ": Not a directory"));
  return absl::ErrnoToStatus(error, what);
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  // O_NONBLOCK: a pipe must not hold us up before we see that it is one.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return CannotOpen(errno, path);
  const auto close_fd = absl::MakeCleanup([fd] { close(fd); });
  struct stat info {};
  if (fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot look at '", path, "'"));
  if (!S_ISREG(info.st_mode)) return NotRegular(path);
  if (static_cast<size_t>(info.st_size) > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "': expected at most ", max_bytes, " bytes, got ", info.st_size));
  }
  std::string content;
  content.resize(static_cast<size_t>(info.st_size) + 1);  // one more tells that it grew
  size_t size = 0;
  while (size < content.size()) {
    const ssize_t n = read(fd, content.data() + size, content.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read '", path, "'"));
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  if (size == content.size()) return absl::UnknownError(absl::StrCat("'", path, "' grew while it was read"));
  content.resize(size);
  return content;
}

}  // namespace resnetd::server
