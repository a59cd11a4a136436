#include "cli/print/row_table.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace resnetd::cli {
namespace {

namespace fs = std::filesystem;

std::string Field(const std::string& text) {
  if (text.find_first_of("\t\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

}  // namespace

std::string RowTable(absl::Span<const NamedRow> rows) {
  std::string text = "path\tstatus\tspace\n";
  for (const NamedRow& row : rows) {
    absl::StrAppend(&text, Field(row.path), "\t", Field(row.status), "\t", Field(row.space), "\n");
  }
  return text;
}

std::string PathOfRowTable(const std::string& npy) {
  std::error_code ignored;
  if (fs::exists(npy, ignored) && !fs::is_regular_file(npy, ignored)) return "";
  return absl::StrCat(absl::StripSuffix(npy, ".npy"), ".tsv");
}

}  // namespace resnetd::cli
