#ifndef RESNETD_CLI_NPY_H_
#define RESNETD_CLI_NPY_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace resnetd::cli {

// The header of NumPy's .npy format, version 1.0, for little-endian float32 of shape (rows, columns) in C order. Its
// length is a multiple of 64, as the format asks.
std::string NpyHeader(size_t rows, size_t columns);

// Writes rows * columns floats as `path`. Errors name the path and why.
absl::Status WriteNpy(const std::string& path, absl::Span<const float> values, size_t rows, size_t columns);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_NPY_H_
