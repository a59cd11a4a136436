// gRPC sends a status's details as grpc-status-details-bin by itself, and demands that their code is the status's.
#include "server/edge/grpc_status.h"

#include <string>

#include "google/rpc/status.pb.h"
#include "server/edge/error.h"

namespace resnetd::server {

grpc::StatusCode ToGrpcCode(const absl::Status& status, const StatusCodes& codes) {
  return static_cast<grpc::StatusCode>(codes[static_cast<size_t>(status.code())]);
}

grpc::Status ToGrpc(const absl::Status& status, const StatusCodes& codes, grpc::CallbackServerContext& context) {
  if (status.ok()) return grpc::Status::OK;
  if (const auto retry_after = RetryAfter(status)) {
    context.AddTrailingMetadata("grpc-retry-pushback-ms", std::to_string(retry_after->count()));
  }
  const grpc::StatusCode code = ToGrpcCode(status, codes);
  google::rpc::Status details;
  ToProto(status, details);
  details.set_code(code);
  return grpc::Status(code, details.message(), details.SerializeAsString());
}

}  // namespace resnetd::server
