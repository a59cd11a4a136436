#ifndef RESNETD_TESTS_FUZZ_LOAD_FUZZER_H_
#define RESNETD_TESTS_FUZZ_LOAD_FUZZER_H_

#include <cstddef>

#include "absl/types/span.h"

namespace resnetd::fuzz {

// Tells how far some bytes got as a model: not read; read and rewritten; compiled and run too.
enum class Outcome { kRefused, kRead, kRun };

// Does with the bytes what a server does with a model. Aborts where the loader breaks a promise.
Outcome LoadAnything(absl::Span<const std::byte> bytes);

}  // namespace resnetd::fuzz

#endif  // RESNETD_TESTS_FUZZ_LOAD_FUZZER_H_
