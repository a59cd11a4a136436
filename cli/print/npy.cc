// numpy.lib.format: "\x93NUMPY", version 1.0, the length of what follows as u16, then a Python dict padded with spaces
// up to a line feed; then the values.
#include "cli/print/npy.h"

#include <functional>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"

namespace resnetd::cli {
namespace {

constexpr size_t kPreamble = 10;   // magic, version, length
constexpr size_t kAlignment = 64;  // of the first value in the file

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
  const absl::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  return WriteFile(path, {NpyHeader(shape), bytes});
}

}  // namespace resnetd::cli
