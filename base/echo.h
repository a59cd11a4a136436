#ifndef RESNETD_BASE_ECHO_H_
#define RESNETD_BASE_ECHO_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// The form in which errors repeat a client's or a file's text: short, so that the rest of the error is still seen, and
// printable, whatever it was. And the form of those errors: what was expected, and what came. Every box may use it.
namespace resnetd {

inline constexpr size_t kEchoBytes = 128;

// Returns at most the first `most` bytes of `text`, without half a character at the end, and how long it was: "aaa...
// (5000 bytes)". Control characters and bytes that are no UTF-8 become \xNN, which makes it longer: up to four times.
std::string Echo(absl::string_view text, size_t most = kEchoBytes);

// Echo(text) in single quotes: 'aaa'... (5000 bytes).
std::string Quoted(absl::string_view text);

// The same for the path of a file or a folder, whose end tells most: ...aa/model.onnx (5000 bytes).
std::string EchoPath(absl::string_view path);
std::string QuotedPath(absl::string_view path);

// 'a', 'b', 'c', and after 16 of them how many more there are: ", ... (48 more)".
std::string QuotedList(const std::vector<absl::string_view>& texts);

// A message that somebody else has put together, as a library does: each run without a space that is longer than
// kEchoBytes is cut as Echo() does it, and nothing else is changed but control characters and the like. What the
// functions above have cut stays as it is.
std::string EchoWords(absl::string_view message);

// The same where the message repeats one of `arguments`, a command line's, or what stands behind its "=": that is cut
// though it has spaces.
std::string EchoArguments(std::string message, const std::vector<std::string>& arguments);

// INVALID_ARGUMENT, "WHAT: expected EXPECTED, got GOT". GOT is made printable and cut short, by Echo().
absl::Status Expected(absl::string_view what, absl::string_view expected, absl::string_view got);

// OK if low <= value <= high, else Expected(what, "LOW..HIGH", value).
absl::Status CheckRange(absl::string_view what, int64_t value, int64_t low, int64_t high);

}  // namespace resnetd

#endif  // RESNETD_BASE_ECHO_H_
