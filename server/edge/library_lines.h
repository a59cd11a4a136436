#ifndef RESNETD_SERVER_EDGE_LIBRARY_LINES_H_
#define RESNETD_SERVER_EDGE_LIBRARY_LINES_H_

#include <cstdint>

#include "absl/strings/string_view.h"

// gRPC and protobuf have things to say, about calls that clients make too and with bytes of theirs, which they would
// write to stderr in forms of their own.
namespace resnetd::server {

enum class Library : uint8_t { kGrpc, kProtobuf };
enum class Severity : uint8_t { kDebug, kInfo, kWarning, kError };

struct LibraryLine {
  Library library{};
  Severity severity{};
  bool last = false;       // the library ends the process behind it
  absl::string_view file;  // of the library's sources, without its folders
  int line = 0;
  absl::string_view message;  // as it came: any bytes, of any length
};

// From now on `take` gets every line, from any thread and several at once, until the process ends. It may be called by
// whoever calls the libraries with locks held, and must call neither of them. To be called before either is used.
void TakeLibraryLines(void (*take)(const LibraryLine& line));

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_LIBRARY_LINES_H_
