// Paths are resolved by the kernel alone: a descriptor's own path, by /proc/self/fd, says where the kernel came to.
#include "base/folder.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/descriptor.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd {

struct Folder::Root {
  Descriptor descriptor;  // O_PATH
  bool has_openat2 = false;
};

namespace {

// While a link moves, as those of a mounted ConfigMap do at an update, following it may fail, or end where it no longer
// leads.
constexpr int kAttempts = 16;

constexpr int kLook = O_PATH, kLookAtFolder = O_PATH | O_DIRECTORY;
// O_NONBLOCK: a pipe must not hold us up, should one have come since its kind was looked at.
constexpr int kRead = O_RDONLY | O_NONBLOCK | O_NOCTTY;

// Fails, with errno, with EXDEV if the path leads out of the root on its way.
Descriptor OpenBeneath(const Descriptor& root, const std::string& path, int flags, uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | resolve;
  for (int attempt = 1;; ++attempt) {
    const long fd = syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how);
    // EAGAIN: something was renamed while the kernel went up by "..".
    if (fd >= 0 || (errno != EINTR && errno != EAGAIN) || attempt == kAttempts) return Descriptor(static_cast<int>(fd));
  }
}

// The path that the kernel knows a descriptor by, without links; empty where /proc is not mounted.
std::string PathOf(const Descriptor& descriptor) {
  std::array<char, PATH_MAX> path;
  const ssize_t size = readlink(absl::StrCat("/proc/self/fd/", descriptor.get()).c_str(), path.data(), path.size());
  return size <= 0 || path[0] != '/' ? "" : std::string(path.data(), static_cast<size_t>(size));
}

// The path from the folder `root`, given both as PathOf() has them; nothing if it does not lie below.
std::optional<std::string> FromRoot(absl::string_view root, absl::string_view path) {
  if (root.empty() || path.empty()) return std::nullopt;
  if (path == root) return "";
  if (root != "/" && (!absl::ConsumePrefix(&path, root) || path[0] != '/')) return std::nullopt;
  return std::string(path.substr(1));
}

// Opens what the path leads to, if that lies below the root. Fails as OpenBeneath().
Descriptor FollowLinks(const Descriptor& root, const std::string& path, int flags) {
  for (int attempt = 1;; ++attempt) {
    Descriptor opened = OpenBeneath(root, path, flags, 0);
    if (opened.is_open() || errno != EXDEV) return opened;
    const Descriptor end(openat(root.get(), path.c_str(), O_PATH | O_CLOEXEC));
    const auto from_root = end.is_open() ? FromRoot(PathOf(root), PathOf(end)) : std::nullopt;
    if (!from_root) {
      errno = EXDEV;
      return {};
    }
    opened = OpenBeneath(root, from_root->empty() ? "." : *from_root, flags, RESOLVE_NO_SYMLINKS);
    if (opened.is_open() || attempt == kAttempts) return opened;
  }
}

// Opens what the path leads to without a link. Fails with EXDEV where it leads out of the root, and with ELOOP where a
// part of it is a link.
Descriptor FollowNoLinks(const Descriptor& root, const std::string& path, int flags) {
  std::vector<Descriptor> folders;  // on the way, the root's left out
  const std::vector<std::string> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == ".") continue;
    if (parts[i] == ".." && folders.empty()) {
      errno = EXDEV;
      return {};
    }
    if (parts[i] == "..") {
      folders.pop_back();
      continue;
    }
    const int folder = folders.empty() ? root.get() : folders.back().get();
    Descriptor part(openat(folder, parts[i].c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!part.is_open()) return {};
    struct stat info {};
    if (fstat(part.get(), &info) != 0) return {};
    if (S_ISLNK(info.st_mode)) {
      errno = ELOOP;
      return {};
    }
    const bool last = i + 1 == parts.size() && !absl::EndsWith(path, "/");
    if (last) return Descriptor(openat(folder, parts[i].c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
    folders.push_back(std::move(part));
  }
  return Descriptor(openat(folders.empty() ? root.get() : folders.back().get(), ".", kLookAtFolder | O_CLOEXEC));
}

Descriptor Follow(const Descriptor& root, bool has_openat2, const std::string& path, int flags) {
  return has_openat2 ? FollowLinks(root, path, flags) : FollowNoLinks(root, path, flags);
}

// Whether the last part of a path that leads to nothing is there, as a link.
bool IsLink(const Descriptor& root, const std::string& path) {
  const Descriptor found = OpenBeneath(root, path, O_PATH | O_NOFOLLOW, 0);
  struct stat info {};
  return found.is_open() && fstat(found.get(), &info) == 0 && S_ISLNK(info.st_mode);
}

absl::Status CannotOpen(int error, bool has_openat2, absl::string_view name) {
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(absl::StrCat(name, ": there is no such file"));
    case ENOTDIR:
      return absl::NotFoundError(absl::StrCat(name, ": there is no such file: a part of its path is no folder"));
    case EACCES:
      return absl::PermissionDeniedError(absl::StrCat(name, ": this process's user may not read it"));
    case EXDEV:
      return absl::InvalidArgumentError(
          absl::StrCat(name,
                       ": expected a file below the models' root folder, got a path or a link that leads out of "
                       "it; --model-root names a wider one"));
    case ELOOP:
      if (has_openat2)
        return absl::InvalidArgumentError(
            absl::StrCat(name, ": expected a file, got links in a circle, or too many of them"));
      return absl::FailedPreconditionError(absl::StrCat(
          name,
          ": expected a file without links on its path, as openat2() is missing here, by an old kernel or a "
          "seccomp filter, and links cannot be followed safely without it"));
    case ENAMETOOLONG:
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": expected the path of a file, got one that is longer than any"));
    default:
      return absl::ErrnoToStatus(error, absl::StrCat(name, ": cannot be opened"));
  }
}

// How many folders a Hugging Face cache's entry lies above one of its snapshots' folders: 2, more for a folder within.
// Nothing for any other folder.
std::optional<int> StepsToCacheEntry(const Descriptor& folder) {
  const std::vector<std::string> parts = absl::StrSplit(PathOf(folder), '/', absl::SkipEmpty());
  std::string up = "..";
  for (int steps = 2; static_cast<size_t>(steps) < parts.size(); ++steps) {
    absl::StrAppend(&up, "/..");
    if (parts[parts.size() - static_cast<size_t>(steps)] != "snapshots") continue;
    if (Descriptor(openat(folder.get(), absl::StrCat(up, "/blobs").c_str(), kLookAtFolder | O_CLOEXEC)).is_open()) {
      return steps;
    }
  }
  return std::nullopt;
}

absl::StatusOr<Descriptor> OpenNamed(const std::string& path) {
  Descriptor folder(open(path.empty() ? "." : path.c_str(), kLookAtFolder | O_CLOEXEC));
  if (folder.is_open()) return folder;
  const int error = errno;
  if (error != ENOENT && error != ENOTDIR) {
    return absl::ErrnoToStatus(error, absl::StrCat("cannot open the folder ", QuotedPath(path)));
  }
  return absl::NotFoundError(absl::StrCat(QuotedPath(path), ": there is no such folder"));
}

}  // namespace

absl::StatusOr<Folder> Folder::Open(const std::string& path, const std::string& root) {
  RESNETD_ASSIGN_OR_RETURN(Descriptor descriptor, OpenNamed(path));
  Folder folder;
  if (!root.empty()) {
    RESNETD_ASSIGN_OR_RETURN(Descriptor above, OpenNamed(root));
    const std::string root_path = PathOf(above);
    if (root_path.empty()) {
      return absl::FailedPreconditionError(
          "--model-root: expected /proc to be mounted, which tells what lies below it");
    }
    const std::optional<std::string> from_root = FromRoot(root_path, PathOf(descriptor));
    if (!from_root) {
      return absl::InvalidArgumentError(absl::StrCat("--model-root: expected a folder with ",
                                                     path.empty() ? "the model" : QuotedPath(path), " below it, got ",
                                                     QuotedPath(root)));
    }
    folder.from_root_ = *from_root;
    descriptor = std::move(above);
  } else if (const std::optional<int> steps = StepsToCacheEntry(descriptor)) {
    const std::string own = PathOf(descriptor);
    const std::string up = absl::StrJoin(std::vector<std::string>(static_cast<size_t>(*steps), ".."), "/");
    Descriptor entry(openat(descriptor.get(), up.c_str(), kLookAtFolder | O_CLOEXEC));
    if (const auto from_root = FromRoot(entry.is_open() ? PathOf(entry) : "", own)) {
      folder.from_root_ = *from_root;
      descriptor = std::move(entry);
    }
  }
  const bool missing = !OpenBeneath(descriptor, ".", kLookAtFolder, 0).is_open() && (errno == ENOSYS || errno == EPERM);
  folder.root_ = std::make_shared<const Root>(Root{std::move(descriptor), !missing});
  return folder;
}

Folder Folder::Below(const std::string& path) const {
  Folder below = *this;
  if (root_ == nullptr) return below;
  below.from_root_ = from_root_.empty() ? path : absl::StrCat(from_root_, "/", path);
  if (!root_->has_openat2) return below;
  const Descriptor end = FollowLinks(root_->descriptor, below.from_root_, kLookAtFolder);
  if (!end.is_open()) return below;
  if (auto from_root = FromRoot(PathOf(root_->descriptor), PathOf(end))) below.from_root_ = *std::move(from_root);
  return below;
}

absl::StatusOr<OpenFile> Folder::OpenRegular(absl::string_view path, absl::string_view name) const {
  if (root_ == nullptr) return absl::NotFoundError(absl::StrCat(name, ": there is no such file"));
  if (path.empty() || absl::StartsWith(path, "/") || absl::StrContains(path, '\0')) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": expected a file's path from the model's folder, got ", Quoted(path)));
  }
  const auto& [root, has_openat2] = *root_;
  const std::string from_root = from_root_.empty() ? std::string(path) : absl::StrCat(from_root_, "/", path);
  // Opening may do something to a device, so its kind is looked at first; and again, should it be another file by then.
  const Descriptor looked_at = Follow(root, has_openat2, from_root, kLook);
  if (!looked_at.is_open()) {
    const int error = errno;
    if (error == ENOENT && has_openat2 && IsLink(root, from_root)) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": expected a file, got a link to nothing"));
    }
    return CannotOpen(error, has_openat2, name);
  }
  RESNETD_RETURN_IF_ERROR(CheckRegular(looked_at, name));
  Descriptor opened = Follow(root, has_openat2, from_root, kRead);
  if (!opened.is_open()) return CannotOpen(errno, has_openat2, name);
  return OpenFile::Of(std::move(opened), name);
}

}  // namespace resnetd
