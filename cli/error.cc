// The server's errors as a person reads them:
//
//   INVALID_ARGUMENT: images[0].tensor.shape: expected [28, 28, 1], got [28, 28]
//     reason: INVALID_FIELD
//     retry_after_ms: 20
#include "cli/error.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/echo.h"
#include "cli/print/table.h"
#include "google/rpc/error_details.pb.h"

namespace resnetd::cli {
namespace {

// Whatever server has sent it, and whatever gRPC repeats of an address.
std::string Shown(absl::string_view text) {
  return EchoWords(Printable(text));
}

// Skips "images[3]." or "images[3]: ", or "images[3]" where nothing follows.
bool SkipImage(absl::string_view& text) {
  absl::string_view rest = text;
  if (!absl::ConsumePrefix(&rest, "images[")) return false;
  const size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  rest.remove_prefix(digits);
  if (digits == 0 || !absl::ConsumePrefix(&rest, "]")) return false;
  if (!rest.empty() && !absl::ConsumePrefix(&rest, ".") && !absl::ConsumePrefix(&rest, ": ")) return false;
  text = rest;
  return true;
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
  error.local = true;
  return error;
}

std::string CodeName(int code) {
  // absl's codes are gRPC's, and it names the unknown ones with an empty string.
  const std::string name = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
  return name.empty() ? absl::StrCat("CODE_", code) : name;
}

CallError OfImage(CallError error) {
  absl::string_view message = error.message;
  if (SkipImage(message)) {
    if (absl::ConsumePrefix(&message, "encoded")) absl::ConsumePrefix(&message, ": ");
    error.message = std::string(message);
  }
  for (FieldViolation& v : error.violations) {
    absl::string_view field = v.field;
    if (SkipImage(field)) v.field = std::string(field);
  }
  return error;
}

std::string OneLine(const CallError& error) {
  return Shown(error.local ? error.message : absl::StrCat(CodeName(error.code), ": ", error.message));
}

std::string Details(const CallError& error) {
  std::string text;
  if (!error.reason.empty()) absl::StrAppend(&text, "\n  reason: ", Shown(error.reason));
  for (const FieldViolation& v : error.violations) {
    // The message of an image's error has lost the field, which is the file.
    const bool named = v.field == "encoded" || absl::StrContains(error.message, v.field);
    if (named && absl::StrContains(error.message, v.description)) continue;
    absl::StrAppend(&text, "\n  field ", Shown(v.field), ": ", Shown(v.description));
  }
  for (const auto& [key, value] : error.metadata) {
    absl::StrAppend(&text, "\n  ", Shown(key), ": ", Shown(value));
  }
  return text;
}

std::string Explain(const CallError& error) {
  return OneLine(error) + Details(error);
}

std::string Explain(const std::string& path, const CallError& error) {
  const std::string name = EchoPath(path);
  const bool named = error.local && absl::StrContains(error.message, name);
  return absl::StrCat(named ? "" : name + ": ", Explain(error));
}

bool IsUnreachable(const CallError& error) {
  return error.code == grpc::StatusCode::UNAVAILABLE && error.reason.empty() &&
         (absl::StartsWith(error.message, "failed to connect") ||
          absl::StartsWith(error.message, "DNS resolution failed"));
}

// The reason is behind the last colon: "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1:
// Failed to connect to remote host: Connection refused".
std::string WhyUnreachable(const CallError& error) {
  const size_t colon = error.message.rfind(": ");
  return Shown(colon == std::string::npos ? error.message : error.message.substr(colon + 2));
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
