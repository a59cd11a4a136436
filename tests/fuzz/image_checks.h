#ifndef RESNETD_TESTS_FUZZ_IMAGE_CHECKS_H_
#define RESNETD_TESTS_FUZZ_IMAGE_CHECKS_H_

#include <cstddef>

#include "absl/types/span.h"
#include "engine/image/image.h"

// Any bytes, given to the image box. What must not happen: a crash, a fault that a sanitizer sees, a hang, memory out
// of proportion (the fuzzer's limits), an error that does not say what is wrong with the file, or another result for
// the same bytes. Each function aborts where a promise is broken.
namespace resnetd::fuzz {

enum class Outcome { kOfAnotherFormat, kRefused, kAccepted };

// Reads the bytes as a file of this format, from its first byte to the tensor.
Outcome CheckFile(absl::Span<const std::byte> bytes, image::Format format);

// Reads the bytes as the beginning of a file: what it declares, costs, and says of the camera.
Outcome CheckSniff(absl::Span<const std::byte> bytes);

// Reads the bytes as a recipe, a size, and pixels, which are repeated until there are enough.
Outcome CheckResize(absl::Span<const std::byte> bytes);

}  // namespace resnetd::fuzz

#endif  // RESNETD_TESTS_FUZZ_IMAGE_CHECKS_H_
