#ifndef RESNETD_CLI_ERROR_H_
#define RESNETD_CLI_ERROR_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"
#include "nlohmann/json.hpp"

namespace resnetd::cli {

struct FieldViolation {
  std::string field, description;
};

// Why a call or one of its images failed, with the google.rpc details of the answer.
struct CallError {
  int code = 0;  // a gRPC status code
  std::string message;
  std::string reason;  // of the ErrorInfo; empty where the answer has none
  std::vector<FieldViolation> violations;
  std::vector<std::pair<std::string, std::string>> metadata;  // of the ErrorInfo, sorted by key
  bool local = false;  // found by this program: a person needs no code to understand it
};

CallError ErrorFrom(const grpc::Status& status);         // with `grpc-status-details-bin`
CallError ErrorFrom(const google::rpc::Status& status);  // of one image
CallError ErrorFrom(const absl::Status& status);         // found before anything was sent

// "INVALID_ARGUMENT", or "CODE_123" for one that gRPC does not know.
std::string CodeName(int code);

// The error of one image of a request: "images[3].encoded: " and "images[3]." say nothing to who named a file.
CallError OfImage(CallError error);

// "CODE: message" on one line, of a local error the message alone, without characters that control a terminal.
std::string OneLine(const CallError& error);
// One indented line for the reason, each field and each piece of metadata that the message leaves out, each behind a
// line feed; may be empty.
std::string Details(const CallError& error);
// OneLine() and Details().
std::string Explain(const CallError& error);
// "path: " and Explain(), without the path where the error has it already.
std::string Explain(const std::string& path, const CallError& error);

// Whether no connection came about, as gRPC says it of its own accord.
bool IsUnreachable(const CallError& error);
// Why, in a few words: "Connection refused".
std::string WhyUnreachable(const CallError& error);

nlohmann::ordered_json ToJson(const CallError& error);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_ERROR_H_
