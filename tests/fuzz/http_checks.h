#ifndef RESNETD_TESTS_FUZZ_HTTP_CHECKS_H_
#define RESNETD_TESTS_FUZZ_HTTP_CHECKS_H_

#include <cstddef>

#include "absl/types/span.h"

namespace resnetd::fuzz {

// How far some bytes got as what a client sends: nothing was answered yet; only a refusal; at least one request.
enum class HttpOutcome { kUnanswered, kRefused, kAnswered };

// Gives the bytes to the HTTP port's side of a connection, under its own limits and under small ones. What must not
// happen: a crash, a fault that a sanitizer sees, a hang, an answer that is not valid HTTP or one too many, bytes after
// the last answer, or another outcome when the same bytes come in other pieces. Aborts where a promise is broken.
HttpOutcome CheckHttp(absl::Span<const std::byte> bytes);

}  // namespace resnetd::fuzz

#endif  // RESNETD_TESTS_FUZZ_HTTP_CHECKS_H_
