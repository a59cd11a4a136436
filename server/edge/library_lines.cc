// Both libraries take a plain function, so the taker is a global of this file.
#include "server/edge/library_lines.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <atomic>
#include <string>

#include "absl/strings/match.h"

namespace resnetd::server {
namespace {

std::atomic<void (*)(const LibraryLine&)> taker{nullptr};

absl::string_view WithoutFolders(const char* file) {
  const absl::string_view path = file;
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

Severity SeverityOf(gpr_log_severity severity) {
  switch (severity) {
    case GPR_LOG_SEVERITY_DEBUG:
      return Severity::kDebug;
    case GPR_LOG_SEVERITY_INFO:
      return Severity::kInfo;
    case GPR_LOG_SEVERITY_ERROR:
      break;
  }
  return Severity::kError;
}

Severity SeverityOf(google::protobuf::LogLevel level) {
  switch (level) {
    case google::protobuf::LOGLEVEL_INFO:
      return Severity::kInfo;
    case google::protobuf::LOGLEVEL_WARNING:
      return Severity::kWarning;
    case google::protobuf::LOGLEVEL_ERROR:
    case google::protobuf::LOGLEVEL_FATAL:
      break;
  }
  return Severity::kError;
}

void TakeGrpc(gpr_log_func_args* args) {
  const absl::string_view message = args->message;
  taker.load()({.library = Library::kGrpc,
                .severity = SeverityOf(args->severity),
                .last = absl::StartsWith(message, "assertion failed"),  // GPR_ASSERT
                .file = WithoutFolders(args->file),
                .line = args->line,
                .message = message});
}

void TakeProtobuf(google::protobuf::LogLevel level, const char* file, int line, const std::string& message) {
  taker.load()({.library = Library::kProtobuf,
                .severity = SeverityOf(level),
                .last = level == google::protobuf::LOGLEVEL_FATAL,
                .file = WithoutFolders(file),
                .line = line,
                .message = message});
}

}  // namespace

void TakeLibraryLines(void (*take)(const LibraryLine&)) {
  taker.store(take);
  gpr_set_log_function(TakeGrpc);
  google::protobuf::SetLogHandler(TakeProtobuf);
}

}  // namespace resnetd::server
