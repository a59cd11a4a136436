#ifndef RESNETD_BASE_FOLDER_H_
#define RESNETD_BASE_FOLDER_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/file.h"

namespace resnetd {

// A folder whose files are read, and the root below which they must lie. Copies share the root's descriptor. Immutable,
// thread-safe.
//
// The rule for all files that belong to a model, whoever names them:
//
// - The operator names a root. Its path, and the path of the folder itself, are the operator's own: their links are
//   followed, wherever they lead, once.
// - A file is read if it is a regular file and lies, all links followed, below the root. Links may be relative or
//   absolute, lead to files and to folders, and through each other. A hard link is a file like any other. Folders,
//   pipes, sockets and devices are refused, and not opened.
// - It is opened beneath the root's descriptor, by openat2() with RESOLVE_BENEATH: the kernel itself stays below the
//   root while it follows links, so that no link that is changed meanwhile leads out. What it does not take that way,
//   absolute links and those that leave the root and come back, is followed without being opened, to learn which path
//   below the root it ends at; that path, which has no link in it, is then opened beneath the root in the same manner.
// - Where openat2() is missing, in kernels before 5.6 and behind seccomp filters of that age, links below the root are
//   refused.
class Folder {
 public:
  // A folder without files.
  Folder() = default;

  // Opens the folder at `path`; "" is the working folder, as it is now. Its root is `root`; if that is empty, for a
  // folder in a snapshot of a Hugging Face cache, <entry>/snapshots/<revision> beside <entry>/blobs, the entry; else
  // itself. NOT_FOUND: no such folder; INVALID_ARGUMENT: it does not lie below `root`; both name the path.
  // FAILED_PRECONDITION: there is a `root`, and no /proc that tells what lies below it.
  static absl::StatusOr<Folder> Open(const std::string& path, const std::string& root = "");

  // A folder below this one, by its path from here, with the same root. Its links are followed now and not again. What
  // is wrong with it is found when a file of it is opened.
  Folder Below(const std::string& path) const;

  // Opens a file by its path from here; `name` is what messages call it, and they contain no other path. NOT_FOUND:
  // there is none; PERMISSION_DENIED; FAILED_PRECONDITION: it is a link, and openat2() is missing; INVALID_ARGUMENT: it
  // is refused by the rule, or `path` is empty, absolute, or no path.
  absl::StatusOr<OpenFile> OpenRegular(absl::string_view path, absl::string_view name) const;

  bool is_nowhere() const { return root_ == nullptr; }

 private:
  struct Root;

  std::shared_ptr<const Root> root_;
  std::string from_root_;  // path of the folder; empty: the root itself
};

}  // namespace resnetd

#endif  // RESNETD_BASE_FOLDER_H_
