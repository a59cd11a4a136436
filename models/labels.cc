// Text -> its form, by how it begins -> labels, with their indices where the form has them -> in order of the indices.
#include "models/labels.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"
#include "utf8.h"

namespace resnetd {
namespace {

using Json = nlohmann::json;
using Labels = std::vector<std::string>;
using Indexed = std::vector<std::pair<uint64_t, std::string>>;

constexpr int kMostDepth = 16;  // of JSON; what lies deeper is passed over

template <typename... Words>
absl::Status Fault(absl::string_view file, const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(EchoPath(file), ": ", words...));
}

absl::Status CheckText(absl::string_view text, absl::string_view file) {
  using absl::StartsWith;
  const bool utf32 =
      StartsWith(text, absl::string_view("\xFF\xFE\0\0", 4)) || StartsWith(text, absl::string_view("\0\0\xFE\xFF", 4));
  if (utf32) return Fault(file, "expected UTF-8 text, got UTF-32; iconv -f UTF-32 -t UTF-8 makes it that");
  // Without its mark UTF-16 is known by the zeros of Latin letters and of line ends.
  if (StartsWith(text, "\xFF\xFE") || StartsWith(text, "\xFE\xFF") || absl::StrContains(text, '\0')) {
    return Fault(file, "expected UTF-8 text, got UTF-16; iconv -f UTF-16 -t UTF-8 makes it that");
  }
  if (!utf8::is_valid(text.begin(), text.end())) return Fault(file, "expected UTF-8 text, got other bytes");
  return absl::OkStatus();
}

bool IsDigit(char c) {
  return absl::ascii_isdigit(static_cast<unsigned char>(c));
}

// Takes a number off the front.
std::optional<uint64_t> TakeNumber(absl::string_view& text) {
  const auto digits = static_cast<size_t>(absl::c_find_if_not(text, IsDigit) - text.begin());
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text.substr(0, digits), &number)) return std::nullopt;
  text.remove_prefix(digits);
  return number;
}

absl::StatusOr<Labels> InOrder(Indexed indexed, absl::string_view file) {
  absl::c_sort(indexed);
  Labels labels;
  for (auto& [index, label] : indexed) {
    if (index != labels.size()) {
      return Fault(file, "expected the indices 0 to ", indexed.size() - 1, ", each once, got ", index, " where ",
                   labels.size(), " is next");
    }
    labels.push_back(std::move(label));
  }
  return labels;
}

// ---- lines

// "0: tench"; not "10:30".
std::optional<std::pair<uint64_t, std::string>> SplitIndex(absl::string_view line) {
  line = absl::StripLeadingAsciiWhitespace(line);
  const std::optional<uint64_t> index = TakeNumber(line);
  line = absl::StripLeadingAsciiWhitespace(line);
  if (!index || !absl::ConsumePrefix(&line, ":") || (!line.empty() && IsDigit(line[0]))) return std::nullopt;
  return std::make_pair(*index, std::string(absl::StripAsciiWhitespace(line)));
}

// "n01440764 tench": the label behind the id.
std::optional<std::string> SplitSynset(absl::string_view line) {
  constexpr size_t kIdBytes = 9;
  const absl::string_view id = line.substr(0, kIdBytes);
  if (id.size() < kIdBytes || id[0] != 'n' || !absl::c_all_of(id.substr(1), IsDigit)) return std::nullopt;
  const absl::string_view rest = line.substr(kIdBytes);
  if (rest.empty() || !absl::StrContains(" \t,:", rest.substr(0, 1))) return std::nullopt;
  const size_t label = rest.find_first_not_of(" \t,:");
  if (label == rest.npos) return std::nullopt;
  return std::string(absl::StripTrailingAsciiWhitespace(rest.substr(label)));
}

// Returns the parts that `split` makes of each line; nothing if it does not fit one.
template <typename Split>
auto SplitAll(const Labels& lines, Split split) {
  std::vector<typename decltype(split(lines[0]))::value_type> parts;
  for (const std::string& line : lines) {
    auto part = split(line);
    if (!part) return decltype(std::make_optional(parts))();
    parts.push_back(*std::move(part));
  }
  return std::make_optional(std::move(parts));
}

absl::StatusOr<Labels> ParseLines(absl::string_view text, absl::string_view file) {
  Labels lines = absl::StrSplit(text, '\n');
  while (!lines.empty() && absl::StripAsciiWhitespace(lines.back()).empty()) lines.pop_back();
  for (std::string& line : lines) {
    if (absl::EndsWith(line, "\r")) line.pop_back();
  }
  if (std::optional<Indexed> indexed = SplitAll(lines, SplitIndex); indexed && !lines.empty()) {
    RESNETD_ASSIGN_OR_RETURN(lines, InOrder(*std::move(indexed), file));
  }
  return SplitAll(lines, SplitSynset).value_or(lines);
}

// ---- JSON

absl::Status UnknownForm(absl::string_view file) {
  return Fault(file,
               "expected labels by their indices, indices by their labels, a list of labels, or one of these as "
               "\"id2label\", \"label2id\" or \"label_names\", got other JSON");
}

// "tench", or ["n01440764", "tench"].
std::optional<std::string> LabelOf(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array() && value.size() == 2 && value[0].is_string() && value[1].is_string()) return value[1];
  return std::nullopt;
}

absl::StatusOr<Labels> LabelsOf(const Json& json, absl::string_view file) {
  Indexed indexed;
  for (const auto& [key, value] : json.items()) {  // the keys of a list are its indices
    absl::string_view number = key;
    const std::optional<uint64_t> index = TakeNumber(number);
    if (const std::optional<std::string> label = LabelOf(value); label && index && number.empty()) {
      indexed.emplace_back(*index, *label);
    } else if (value.is_number_unsigned() && json.is_object()) {
      indexed.emplace_back(value.get<uint64_t>(), key);
    } else {
      return UnknownForm(file);
    }
  }
  return InOrder(std::move(indexed), file);
}

absl::StatusOr<Labels> ParseJson(const Json& json, absl::string_view file) {
  if (json.is_object()) {
    for (const char* key : {"id2label", "label2id", "label_names"}) {
      if (const auto found = json.find(key); found != json.end() && found->is_structured())
        return LabelsOf(*found, file);
    }
  }
  return json.is_structured() ? LabelsOf(json, file) : UnknownForm(file);
}

// ---- Python

// Takes 'tench' or "tench" off the front.
std::optional<std::string> TakeString(absl::string_view& text) {
  if (text.empty() || (text[0] != '\'' && text[0] != '"')) return std::nullopt;
  const char quote = text[0];
  std::string string;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == quote) {
      text.remove_prefix(i + 1);
      return string;
    }
    if (text[i] == '\\' && ++i == text.size()) return std::nullopt;
    string += text[i];
  }
  return std::nullopt;
}

// {0: 'tench', 1: "goldfish"}
std::optional<Indexed> ParsePython(absl::string_view text) {
  const auto take = [&text](absl::string_view word) {
    text = absl::StripLeadingAsciiWhitespace(text);
    return absl::ConsumePrefix(&text, word);
  };
  Indexed indexed;
  for (bool more = take("{"); !take("}"); more = take(",")) {
    if (!more) return std::nullopt;
    const std::optional<uint64_t> index = TakeNumber(text);
    if (!index || !take(":")) return std::nullopt;
    text = absl::StripLeadingAsciiWhitespace(text);
    std::optional<std::string> label = TakeString(text);
    if (!label) return std::nullopt;
    indexed.emplace_back(*index, *std::move(label));
    text = absl::StripLeadingAsciiWhitespace(text);
  }
  if (!absl::StripAsciiWhitespace(text).empty()) return std::nullopt;
  return indexed;
}

// A label may begin with a bracket, "[PAD]"; a list begins with one and a label in quotes.
bool BeginsAsList(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, "[")) return false;
  text = absl::StripLeadingAsciiWhitespace(text);
  return absl::StartsWith(text, "\"");
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ParseLabels(absl::string_view text, absl::string_view file) {
  RESNETD_RETURN_IF_ERROR(CheckText(text, file));
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");  // the byte-order mark
  const absl::string_view body = absl::StripAsciiWhitespace(text);
  if (!absl::StartsWith(body, "{") && !BeginsAsList(body)) return ParseLines(text, file);
  if (std::optional<Indexed> indexed = ParsePython(body)) return InOrder(*std::move(indexed), file);
  const auto within = [](int depth, Json::parse_event_t, Json&) { return depth <= kMostDepth; };
  try {
    return ParseJson(Json::parse(body.begin(), body.end(), within), file);
  } catch (const Json::parse_error& error) {
    const auto lines = absl::c_count(body.substr(0, error.byte), '\n');
    return Fault(file, "expected JSON, as it begins with ", body.substr(0, 1), ", got something else in line ",
                 lines + 1);
  }
}

absl::Status CheckCount(const std::vector<std::string>& labels, absl::string_view file, int classes) {
  if (labels.size() == static_cast<size_t>(classes)) return absl::OkStatus();
  return Fault(file, "expected ", classes, " labels, one a line for each class of the model, got ", labels.size());
}

}  // namespace resnetd
