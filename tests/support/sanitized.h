#ifndef RESNETD_TESTS_SUPPORT_SANITIZED_H_
#define RESNETD_TESTS_SUPPORT_SANITIZED_H_

namespace resnetd {

// Whether this build's programs are watched by sanitizers (CMake's RESNETD_SANITIZE), which makes them 3 to 30 times
// slower and keeps freed memory. A test may then take fewer or smaller cases; what it asserts of each stays.
#ifdef RESNETD_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// Chooses a number of rounds, pixels and the like.
template <typename T>
constexpr T Sized(T full, T sanitized) {
  return kSanitized ? sanitized : full;
}

}  // namespace resnetd

#endif  // RESNETD_TESTS_SUPPORT_SANITIZED_H_
