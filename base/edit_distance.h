#ifndef RESNETD_BASE_EDIT_DISTANCE_H_
#define RESNETD_BASE_EDIT_DISTANCE_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace resnetd {

// Counts how many bytes must be changed, added or taken away to make one text of the other (Levenshtein's distance).
// Takes time in proportion to the product of the lengths.
size_t EditDistance(absl::string_view a, absl::string_view b);

}  // namespace resnetd

#endif  // RESNETD_BASE_EDIT_DISTANCE_H_
