// The server's errors as a person reads them:
//
//   INVALID_ARGUMENT: images[0].tensor.shape: expected [28, 28, 1], got [28, 28]
//     reason: INVALID_FIELD
//     retry_after_ms: 20
#include "cli/error.h"

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "cli/print/table.h"
#include "google/rpc/error_details.pb.h"

namespace resnetd::cli {
namespace {

// Whatever server has sent it, and whatever gRPC repeats of an address.
std::string Shown(absl::string_view text) {
  return EchoWords(Printable(text));
}

CallError FromDetails(int code, const std::string& message, const google::rpc::Status& status) {
  CallError error{.code = code, .message = message, .reason = {}, .violations = {}, .metadata = {}};
  for (const google::protobuf::Any& detail : status.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    if (detail.Is<google::rpc::ErrorInfo>() && detail.UnpackTo(&info)) {
      error.reason = info.reason();
      const std::map<std::string, std::string> sorted(info.metadata().begin(), info.metadata().end());
      error.metadata.assign(sorted.begin(), sorted.end());
    } else if (detail.Is<google::rpc::BadRequest>() && detail.UnpackTo(&bad_request)) {
      for (const auto& v : bad_request.field_violations()) {
        error.violations.push_back({v.field(), v.description()});
      }
    }
  }
  return error;
}

}  // namespace

CallError ErrorFrom(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) details.Clear();
  return FromDetails(status.error_code(), status.error_message(), details);
}

CallError ErrorFrom(const google::rpc::Status& status) {
  return FromDetails(status.code(), status.message(), status);
}

CallError ErrorFrom(const absl::Status& status) {
  CallError error;
  error.code = static_cast<int>(status.code());
  error.message = std::string(status.message());
  return error;
}

std::string CodeName(int code) {
  // absl's codes are gRPC's, and it names the unknown ones with an empty string.
  const std::string name = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
  return name.empty() ? absl::StrCat("CODE_", code) : name;
}

std::string OneLine(const CallError& error) {
  return Shown(absl::StrCat(CodeName(error.code), ": ", error.message));
}

std::string Explain(const CallError& error) {
  std::string text = OneLine(error);
  if (!error.reason.empty()) absl::StrAppend(&text, "\n  reason: ", Shown(error.reason));
  for (const FieldViolation& v : error.violations) {
    if (absl::StrContains(error.message, v.field) && absl::StrContains(error.message, v.description)) continue;
    absl::StrAppend(&text, "\n  field ", Shown(v.field), ": ", Shown(v.description));
  }
  for (const auto& [key, value] : error.metadata) {
    absl::StrAppend(&text, "\n  ", Shown(key), ": ", Shown(value));
  }
  return text;
}

nlohmann::ordered_json ToJson(const CallError& error) {
  nlohmann::ordered_json json = {{"code", CodeName(error.code)}, {"message", error.message}};
  if (!error.reason.empty()) json["reason"] = error.reason;
  for (const FieldViolation& v : error.violations) {
    json["field_violations"].push_back({{"field", v.field}, {"description", v.description}});
  }
  for (const auto& [key, value] : error.metadata) json["metadata"][key] = value;
  return json;
}

}  // namespace resnetd::cli
