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
};

CallError ErrorFrom(const grpc::Status& status);         // with `grpc-status-details-bin`
CallError ErrorFrom(const google::rpc::Status& status);  // of one image
CallError ErrorFrom(const absl::Status& status);         // found before anything was sent

// "INVALID_ARGUMENT", or "CODE_123" for one that gRPC does not know.
std::string CodeName(int code);

// "CODE: message" on one line, without characters that control a terminal.
std::string OneLine(const CallError& error);
// OneLine() and one indented line for the reason, each field and each piece of metadata that the message leaves out.
std::string Explain(const CallError& error);
nlohmann::ordered_json ToJson(const CallError& error);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_ERROR_H_
