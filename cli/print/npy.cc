// numpy.lib.format: "\x93NUMPY", version 1.0, the length of what follows as u16, then a Python dict padded with spaces
// up to a line feed; then the values.
#include "cli/print/npy.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/echo.h"

namespace resnetd::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPreamble = 10;   // magic, version, length
constexpr size_t kAlignment = 64;  // of the first value in the file

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

std::string NpyHeader(absl::Span<const size_t> shape) {
  // Python wants a comma behind a lone number: else it is no tuple.
  std::string dict = absl::StrCat("{'descr': '<f4', 'fortran_order': False, 'shape': (", absl::StrJoin(shape, ", "),
                                  shape.size() == 1 ? "," : "", "), }");
  const size_t unpadded = kPreamble + dict.size() + 1;
  dict.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  dict.push_back('\n');
  std::string header = absl::StrCat("\x93NUMPY", absl::string_view("\x01\x00", 2));
  header.push_back(static_cast<char>(dict.size() & 0xFF));
  header.push_back(static_cast<char>(dict.size() >> 8));
  return header + dict;
}

absl::Status WriteNpy(const std::string& path, absl::Span<const float> values, absl::Span<const size_t> shape) {
  const size_t count = std::accumulate(shape.begin(), shape.end(), size_t{1}, std::multiplies<>());
  if (values.size() != count) {
    return absl::InvalidArgumentError(absl::StrCat("expected ", count, " values, got ", values.size()));
  }
  const fs::path target = TargetOf(path);
  const fs::path written = IsReplaced(target) ? fs::path(absl::StrCat(target.string(), ".partial-", getpid())) : target;
  std::ofstream file(written, std::ios::binary | std::ios::trunc);
  const std::string header = NpyHeader(shape);
  file.write(header.data(), static_cast<std::streamsize>(header.size()));
  file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  file.close();
  std::error_code error;
  if (!file) error = std::error_code(errno != 0 ? errno : EIO, std::generic_category());
  if (!error && written != target) fs::rename(written, target, error);
  if (error) {
    std::error_code ignored;
    if (written != target) fs::remove(written, ignored);
    return absl::UnavailableError(absl::StrCat("cannot write ", EchoPath(path), ": ", error.message()));
  }
  return absl::OkStatus();
}

}  // namespace resnetd::cli
