#ifndef RESNETD_BASE_EXPECTED_H_
#define RESNETD_BASE_EXPECTED_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace resnetd {

// INVALID_ARGUMENT, "WHAT: expected EXPECTED, got GOT". GOT is made printable and cut short (echo.h).
absl::Status Expected(absl::string_view what, absl::string_view expected, absl::string_view got);

// OK if low <= value <= high, else Expected(what, "LOW..HIGH", value).
absl::Status CheckRange(absl::string_view what, int64_t value, int64_t low, int64_t high);

}  // namespace resnetd

#endif  // RESNETD_BASE_EXPECTED_H_
