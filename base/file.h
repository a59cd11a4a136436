#ifndef RESNETD_BASE_FILE_H_
#define RESNETD_BASE_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace resnetd {

// The content of a regular file of at most `max_bytes`, read once: what is checked is what is used, whatever happens to
// the file meanwhile. Messages name the path. NOT_FOUND; INVALID_ARGUMENT: not a regular file, or too large;
// PERMISSION_DENIED; UNKNOWN: it grew meanwhile; any other code: it cannot be read.
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
