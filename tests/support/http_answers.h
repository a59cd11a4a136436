#ifndef RESNETD_TESTS_SUPPORT_HTTP_ANSWERS_H_
#define RESNETD_TESTS_SUPPORT_HTTP_ANSWERS_H_

#include <cctype>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

// A slow and strict reader of HTTP answers: what is not exactly as RFC 9112 has it is none.
namespace resnetd {

struct ParsedAnswer {
  int status = 0;
  std::map<std::string, std::string> fields;  // as they are written
  std::string body;

  std::string field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : found->second;
  }
};

inline std::optional<std::string_view> TakeLine(std::string_view& bytes) {
  const size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = bytes.substr(0, end);
  bytes.remove_prefix(end + 2);
  return line;
}

inline bool IsToken(std::string_view text) {
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-') return false;
  }
  return !text.empty();
}

inline bool IsVisible(std::string_view text) {
  for (const char c : text) {
    if (c < ' ' || c > '~') return false;
  }
  return true;
}

// Takes the answer that the bytes begin with; nullopt if they do not begin with a whole one. `to_head`: it has no body.
inline std::optional<ParsedAnswer> TakeAnswer(std::string_view& bytes, bool to_head = false) {
  std::string_view rest = bytes;
  const auto status_line = TakeLine(rest);
  if (!status_line.has_value() || status_line->size() < 14 || status_line->substr(0, 9) != "HTTP/1.1 ")
    return std::nullopt;
  ParsedAnswer answer;
  for (const char c : status_line->substr(9, 3)) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) return std::nullopt;
    answer.status = 10 * answer.status + (c - '0');
  }
  if ((*status_line)[12] != ' ' || !IsVisible(*status_line)) return std::nullopt;
  while (true) {
    const auto line = TakeLine(rest);
    if (!line.has_value()) return std::nullopt;
    if (line->empty()) break;
    const size_t colon = line->find(": ");
    if (colon == std::string_view::npos || !IsToken(line->substr(0, colon)) || !IsVisible(*line)) return std::nullopt;
    if (!answer.fields.emplace(line->substr(0, colon), line->substr(colon + 2)).second) return std::nullopt;
  }
  if (answer.status != 100) {
    const std::string length = answer.field("Content-Length");
    if (length.empty() || length.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
    const size_t size = to_head ? 0 : std::stoul(length);
    if (rest.size() < size) return std::nullopt;
    answer.body = rest.substr(0, size);
    rest.remove_prefix(size);
  }
  bytes = rest;
  return answer;
}

}  // namespace resnetd

#endif  // RESNETD_TESTS_SUPPORT_HTTP_ANSWERS_H_
