// Plain text columns, two spaces apart. Widths count UTF-8 characters, not bytes.
#include "cli/print/table.h"
#include "base/echo.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace resnetd::cli {
namespace {

size_t Width(absl::string_view text) {
  return std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; });
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string printable(text);
  for (size_t i = 0; i < printable.size(); ++i) {
    const auto c = static_cast<unsigned char>(printable[i]);
    if (c < 0x20 || c == 0x7F) printable[i] = '?';
    // U+0080..U+009F are control characters too: C2 80 .. C2 9F.
    if (c == 0xC2 && i + 1 < printable.size() && static_cast<unsigned char>(printable[i + 1]) < 0xA0) {
      printable.replace(i, 2, "?");
    }
  }
  return printable;
}

Table::Table(std::vector<std::string> header) {
  rows_.push_back(std::move(header));
}

void Table::AddRow(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = EchoWords(Printable(cell));
  rows_.push_back(std::move(cells));
}

void Table::Print(std::ostream& out) const {
  const size_t columns = rows_.front().size();
  std::vector<size_t> widths(columns, 0);
  for (const auto& row : rows_) {
    // The last cell of a short row runs on.
    const size_t counted = row.size() < columns && !row.empty() ? row.size() - 1 : row.size();
    for (size_t i = 0; i < counted; ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      out << row[i];
      if (i + 1 == row.size()) break;
      const size_t width = Width(row[i]);
      out << std::string((width < widths[i] ? widths[i] - width : 0) + 2, ' ');
    }
    out << '\n';
  }
}

}  // namespace resnetd::cli
