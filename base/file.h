#ifndef RESNETD_BASE_FILE_H_
#define RESNETD_BASE_FILE_H_

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/descriptor.h"

namespace resnetd {

// OK if it is a regular file's. INVALID_ARGUMENT says what it is; `name` is what messages call it, quoted where it is a
// path.
absl::Status CheckRegular(const Descriptor& descriptor, absl::string_view name);

// A regular file that is open for reading, and what was seen of it then. Not thread-safe.
struct OpenFile {
  Descriptor descriptor;
  size_t bytes = 0;
  dev_t device = 0;  // with the inode: which file it is, whatever its names are
  ino_t inode = 0;

  // Errors are CheckRegular()'s.
  static absl::StatusOr<OpenFile> Of(Descriptor descriptor, absl::string_view name);
};

// The content of a file of at most `max_bytes`, read once and whole: what is checked is what is used, whatever happens
// to the file meanwhile. INVALID_ARGUMENT: too large; UNKNOWN: it grew or shrank meanwhile; any other code: it cannot
// be read.
absl::StatusOr<std::string> ReadWhole(const OpenFile& file, size_t max_bytes, absl::string_view name);

// ReadWhole() of the file at a path that the operator has named, wherever its links lead; what belongs to a model is
// opened by Folder (folder.h). Messages name the path. NOT_FOUND; INVALID_ARGUMENT: not a regular file, or too large;
// PERMISSION_DENIED; UNKNOWN: it grew or shrank meanwhile; any other code: it cannot be read.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

// Makes `parts`, one after the other, the content of the file: whole or not at all, since they are written beside it
// and then renamed. A link stays and its target is written; a device or a pipe is written to. UNAVAILABLE names the
// path and why.
absl::Status WriteFile(const std::string& path, absl::Span<const absl::string_view> parts);

// The text of a file that the kernel makes as it is read, in /proc or /sys, which tells no size; empty if it cannot be
// opened.
std::string ReadKernelFile(const std::string& path);

}  // namespace resnetd

#endif  // RESNETD_BASE_FILE_H_
