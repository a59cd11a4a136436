#ifndef RESNETD_SERVER_EDGE_ERROR_H_
#define RESNETD_SERVER_EDGE_ERROR_H_

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace google::rpc {
class Status;
}

// Errors as clients see them. Inside the edge an error is an absl::Status that carries google.rpc details as payloads;
// it becomes a google.rpc.Status once, where the answer is written.
//
// Every message names what was expected and what came, or the limit and the option that sets it; no path, no pointer.
namespace resnetd::server {

// Constants of the domain "resnetd" for google.rpc.ErrorInfo.reason.
namespace reason {
inline constexpr char kInvalidField[] = "INVALID_FIELD";
inline constexpr char kBadImage[] = "BAD_IMAGE";
inline constexpr char kMalformedMessage[] = "MALFORMED_MESSAGE";
inline constexpr char kModelNotFound[] = "MODEL_NOT_FOUND";
inline constexpr char kModelNotReady[] = "MODEL_NOT_READY";
inline constexpr char kNoSuchOutput[] = "NO_SUCH_OUTPUT";
inline constexpr char kOtherSpace[] = "OTHER_EMBEDDING_SPACE";
inline constexpr char kUnknownMethod[] = "UNKNOWN_METHOD";
inline constexpr char kDeadlineExceeded[] = "DEADLINE_EXCEEDED";
inline constexpr char kCancelled[] = "CANCELLED";
inline constexpr char kConnectionAge[] = "CONNECTION_AGE";
inline constexpr char kShutdown[] = "SHUTDOWN";
inline constexpr char kEngine[] = "ENGINE";
inline constexpr char kOutOfMemory[] = "OUT_OF_MEMORY";
inline constexpr char kNotFinite[] = "NOT_FINITE";
inline constexpr char kNotAClassifier[] = "NOT_A_CLASSIFIER";
}  // namespace reason

using ErrorMetadata = std::vector<std::pair<std::string, std::string>>;

// `code` with a google.rpc.ErrorInfo. Values of `metadata` are cut as echoes are; in `message` the caller does it
// (base/echo.h).
absl::Status Error(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                   const ErrorMetadata& metadata = {});

// INVALID_ARGUMENT "field: description" with a google.rpc.BadRequest too. `field` is a path: "images[3].tensor.shape".
absl::Status FieldError(absl::string_view field, absl::string_view description,
                        absl::string_view reason = reason::kInvalidField);

// How long the client does well to wait before it tries again: the trailer grpc-retry-pushback-ms, and a
// google.rpc.RetryInfo, which reaches the requests of a stream too.
void SetRetryAfter(std::chrono::milliseconds time, absl::Status& status);
std::optional<std::chrono::milliseconds> RetryAfter(const absl::Status& status);

// Writes code, message and details.
void ToProto(const absl::Status& status, google::rpc::Status& proto);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_ERROR_H_
