#ifndef RESNETD_CLI_PRINT_NPY_H_
#define RESNETD_CLI_PRINT_NPY_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace resnetd::cli {

// The header of NumPy's .npy format, version 1.0, for little-endian float32 of this shape in C order. Its length is a
// multiple of 64, as the format asks.
std::string NpyHeader(absl::Span<const size_t> shape);

// Writes as many floats as the shape holds as `path`, whole or not at all: beside it first, and renamed. Errors name
// the path and why.
absl::Status WriteNpy(const std::string& path, absl::Span<const float> values, absl::Span<const size_t> shape);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_PRINT_NPY_H_
