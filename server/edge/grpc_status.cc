// absl's status codes are gRPC's, number by number, so the code is cast. gRPC sends a status's details as
// grpc-status-details-bin by itself.
#include "server/edge/grpc_status.h"

#include <string>

#include "google/rpc/status.pb.h"
#include "server/edge/error.h"

namespace resnetd::server {

grpc::Status ToGrpc(const absl::Status& status, grpc::CallbackServerContext& context) {
  if (status.ok()) return grpc::Status::OK;
  if (const auto retry_after = RetryAfter(status)) {
    context.AddTrailingMetadata("grpc-retry-pushback-ms", std::to_string(retry_after->count()));
  }
  google::rpc::Status details;
  ToProto(status, details);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), details.message(), details.SerializeAsString());
}

}  // namespace resnetd::server
