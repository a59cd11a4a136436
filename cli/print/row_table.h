#ifndef RESNETD_CLI_PRINT_ROW_TABLE_H_
#define RESNETD_CLI_PRINT_ROW_TABLE_H_

#include <string>
#include <vector>

#include "absl/types/span.h"

namespace resnetd::cli {

// The image that a row of an .npy file is of.
struct NamedRow {
  std::string path;
  std::string status;  // "ok", or why the row is NaN
  std::string space;   // the embedding space of a row that is ok
};

// The rows as lines "path <tab> status <tab> space" under such a header: what a program reads as a table of values with
// tabs between them. A value that holds a tab, a quotation mark or the end of a line is in quotation marks, doubled
// within (RFC 4180).
std::string RowTable(absl::Span<const NamedRow> rows);

// The place of the table beside an .npy file: its name with .tsv in place of .npy. Empty where `npy` is a device or a
// pipe, beside which nothing belongs.
std::string PathOfRowTable(const std::string& npy);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_PRINT_ROW_TABLE_H_
