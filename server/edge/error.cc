// The payloads of a status are keyed by the URLs that google.protobuf.Any uses, so that they move into
// google.rpc.Status.details as they are.
#include "server/edge/error.h"

#include <google/protobuf/util/time_util.h>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace resnetd::server {
namespace {

constexpr absl::string_view kErrorInfoUrl = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr absl::string_view kBadRequestUrl = "type.googleapis.com/google.rpc.BadRequest";
constexpr absl::string_view kRetryInfoUrl = "type.googleapis.com/google.rpc.RetryInfo";

// Copies a few bytes. The constructor that takes a string over is a template, whose symbol Clang spells in another way
// than the g++ that built the distribution's Abseil.
absl::Cord Payload(absl::string_view text) {
  return absl::Cord(text);
}

}  // namespace

absl::Status Error(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                   const ErrorMetadata& metadata) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason.data(), reason.size());
  info.set_domain("resnetd");
  for (const auto& [key, value] : metadata) (*info.mutable_metadata())[key] = Echo(value);
  absl::Status status(code, message);
  status.SetPayload(kErrorInfoUrl, Payload(info.SerializeAsString()));
  return status;
}

absl::Status FieldError(absl::string_view field, absl::string_view description, absl::string_view reason) {
  absl::Status status = Error(absl::StatusCode::kInvalidArgument, reason, absl::StrCat(field, ": ", description));
  google::rpc::BadRequest bad;
  google::rpc::BadRequest::FieldViolation* violation = bad.add_field_violations();
  violation->set_field(field.data(), field.size());
  violation->set_description(description.data(), description.size());
  status.SetPayload(kBadRequestUrl, Payload(bad.SerializeAsString()));
  return status;
}

void SetRetryAfter(std::chrono::milliseconds time, absl::Status& status) {
  google::rpc::RetryInfo info;
  *info.mutable_retry_delay() = google::protobuf::util::TimeUtil::MillisecondsToDuration(time.count());
  status.SetPayload(kRetryInfoUrl, Payload(info.SerializeAsString()));
}

std::optional<std::chrono::milliseconds> RetryAfter(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryInfoUrl);
  google::rpc::RetryInfo info;
  if (!payload || !info.ParseFromString(std::string(*payload))) return std::nullopt;
  return std::chrono::milliseconds(google::protobuf::util::TimeUtil::DurationToMilliseconds(info.retry_delay()));
}

void ToProto(const absl::Status& status, google::rpc::Status& proto) {
  proto.set_code(static_cast<int>(status.code()));
  proto.set_message(status.message().data(), status.message().size());
  for (absl::string_view url : {kErrorInfoUrl, kBadRequestUrl, kRetryInfoUrl}) {
    const auto payload = status.GetPayload(url);
    if (!payload) continue;
    google::protobuf::Any* detail = proto.add_details();
    detail->set_type_url(url.data(), url.size());
    detail->set_value(std::string(*payload));
  }
}

}  // namespace resnetd::server
