#include "base/expected.h"

#include "absl/strings/str_cat.h"
#include "base/echo.h"

namespace resnetd {

absl::Status Expected(absl::string_view what, absl::string_view expected, absl::string_view got) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": expected ", expected, ", got ", Echo(got)));
}

absl::Status CheckRange(absl::string_view what, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Expected(what, absl::StrCat(low, "..", high), absl::StrCat(value));
}

}  // namespace resnetd
