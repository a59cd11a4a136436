#include "base/echo.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "utf8.h"

namespace resnetd {
namespace {

constexpr size_t kListed = 16;
constexpr absl::string_view kCut = "...";
// A path that was cut, with each byte as \xNN, in quotes.
constexpr size_t kLongestEcho = 4 * kEchoBytes + 5;

bool IsWithin(uint32_t value, uint32_t low, uint32_t high) {
  return value >= low && value <= high;
}

// Bytes of the printable character that `text`, which is not empty, begins with; 0 if it begins with none.
size_t CharacterBytes(absl::string_view text) {
  constexpr size_t kLongest = 4;
  const absl::string_view head = text.substr(0, kLongest);
  if (utf8::find_invalid(head.begin(), head.end()) == head.begin()) return 0;
  auto end = head.begin();
  const uint32_t code_point = utf8::unchecked::next(end);
  if (code_point < 0x20 || IsWithin(code_point, 0x7F, 0x9F)) return 0;  // a control character
  return static_cast<size_t>(end - head.begin());
}

struct Beginning {
  std::string printable;
  size_t bytes = 0;  // of the text that it stands for
};

Beginning Begin(absl::string_view text, size_t most) {
  Beginning begin;
  while (begin.bytes < text.size()) {
    const absl::string_view rest = text.substr(begin.bytes);
    const size_t size = CharacterBytes(rest);
    if (begin.bytes + std::max<size_t>(size, 1) > most) break;
    if (size > 0) {
      begin.printable.append(rest.data(), size);
    } else {
      absl::StrAppend(&begin.printable, "\\x", absl::Hex(static_cast<unsigned char>(rest[0]), absl::kZeroPad2));
    }
    begin.bytes += std::max<size_t>(size, 1);
  }
  return begin;
}

std::string EchoBetween(absl::string_view quote, absl::string_view text, size_t most = kEchoBytes) {
  const Beginning begin = Begin(text, most);
  if (begin.bytes == text.size()) return absl::StrCat(quote, begin.printable, quote);
  return absl::StrCat(quote, begin.printable, quote, kCut, " (", text.size(), " bytes)");
}

std::string EndBetween(absl::string_view quote, absl::string_view path) {
  if (path.size() <= kEchoBytes) return EchoBetween(quote, path);
  absl::string_view end = path.substr(path.size() - kEchoBytes);
  while (!end.empty() && IsWithin(static_cast<unsigned char>(end[0]), 0x80, 0xBF)) end.remove_prefix(1);
  return absl::StrCat(quote, kCut, Begin(end, kEchoBytes).printable, quote, " (", path.size(), " bytes)");
}

bool IsEcho(absl::string_view word) {
  if (word.size() > kLongestEcho) return false;
  return absl::EndsWith(word, kCut) || absl::StartsWith(absl::StripPrefix(word, "'"), kCut);
}

}  // namespace

std::string Echo(absl::string_view text, size_t most) {
  return EchoBetween("", text, most);
}

std::string Quoted(absl::string_view text) {
  return EchoBetween("'", text);
}

std::string EchoPath(absl::string_view path) {
  return EndBetween("", path);
}

std::string QuotedPath(absl::string_view path) {
  return EndBetween("'", path);
}

std::string QuotedList(const std::vector<absl::string_view>& texts) {
  std::string list;
  for (size_t i = 0; i < std::min(texts.size(), kListed); ++i)
    absl::StrAppend(&list, i > 0 ? ", " : "", Quoted(texts[i]));
  if (texts.size() > kListed) absl::StrAppend(&list, ", ... (", texts.size() - kListed, " more)");
  return list;
}

std::string EchoWords(absl::string_view message) {
  std::string words;
  while (!message.empty()) {
    const size_t end = message.find_first_of(" \n");
    const absl::string_view word = message.substr(0, end);
    absl::StrAppend(&words, IsEcho(word) ? word : Echo(word));
    if (end == absl::string_view::npos) break;
    words += message[end];
    message.remove_prefix(end + 1);
  }
  return words;
}

std::string EchoArguments(std::string message, const std::vector<std::string>& arguments) {
  for (const absl::string_view argument : arguments) {
    const size_t equals = argument.find('=');
    const absl::string_view value = equals == absl::string_view::npos ? "" : argument.substr(equals + 1);
    for (const absl::string_view text : {argument, value}) {
      if (text.size() > kEchoBytes) message = absl::StrReplaceAll(message, {{text, Echo(text)}});
    }
  }
  return EchoWords(message);
}

absl::Status Expected(absl::string_view what, absl::string_view expected, absl::string_view got) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": expected ", expected, ", got ", Echo(got)));
}

absl::Status CheckRange(absl::string_view what, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Expected(what, absl::StrCat(low, "..", high), absl::StrCat(value));
}

}  // namespace resnetd
