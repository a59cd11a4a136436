#ifndef RESNETD_CLI_PRINT_TABLE_H_
#define RESNETD_CLI_PRINT_TABLE_H_

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace resnetd::cli {

// `text` with a '?' for every character that could control a terminal: what a server sends is printed, not obeyed.
std::string Printable(absl::string_view text);

// Rows under a header, in columns as wide as their widest cell. A row may have fewer cells than the header; its last
// one may then run on to the right without widening its column.
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  void AddRow(std::vector<std::string> cells);
  void Print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;  // rows_[0] is the header
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_PRINT_TABLE_H_
