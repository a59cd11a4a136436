// Web pages and JSON hold images as text: "data:image/png;base64,iVBORw0KGgo..." or the base64 alone, which a program
// then sends as it is. What it stands for begins as an image does, perhaps only once it is decoded again: where bytes
// are base64 already, as in protobuf's JSON, they come out twice encoded if the client does it too.
#include "engine/image/decode/text_form.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"

namespace resnetd::image {
namespace {

constexpr int kMostTimes = 3;           // that something is encoded
constexpr size_t kLookedAt = 256;       // bytes of the text
constexpr size_t kMostCharacters = 64;  // of it, that are decoded

// The characters of base64 that the text begins with, but for line ends and the quotes of a string: "b'" is Python's
// str() of bytes.
std::string Characters(absl::string_view text) {
  std::string characters;
  text = absl::StripLeadingAsciiWhitespace(text.substr(0, kLookedAt));
  if (absl::StartsWith(text, "b'") || absl::StartsWith(text, "b\"")) text.remove_prefix(1);
  if (absl::StartsWith(text, "'") || absl::StartsWith(text, "\"")) text.remove_prefix(1);
  for (const char c : text) {
    if (absl::ascii_isspace(static_cast<unsigned char>(c))) continue;
    const bool in_alphabet = absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("+/-_", c);
    if (!in_alphabet || characters.size() == kMostCharacters) break;
    characters += c;
  }
  characters.resize(characters.size() / 4 * 4);  // whole bytes
  return characters;
}

}  // namespace

absl::string_view TextFormOf(absl::string_view file, absl::FunctionRef<bool(absl::string_view)> is_image) {
  const absl::string_view text = absl::StripLeadingAsciiWhitespace(file.substr(0, kLookedAt));
  if (absl::StartsWithIgnoreCase(text, "data:")) {
    return "a data URI: send the bytes of the file that it stands for, which the base64 behind its comma has, decoded";
  }
  std::string part(file.substr(0, kLookedAt));
  for (int times = 0; times < kMostTimes; ++times) {
    const std::string characters = Characters(part);
    if (!absl::Base64Unescape(characters, &part) && !absl::WebSafeBase64Unescape(characters, &part)) return "";
    if (part.empty()) return "";
    if (!is_image(part)) continue;
    return "base64 text: send the bytes of the file that it stands for, decoded; only in JSON are they base64, once";
  }
  return "";
}

}  // namespace resnetd::image
