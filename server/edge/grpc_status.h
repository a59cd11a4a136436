#ifndef RESNETD_SERVER_EDGE_GRPC_STATUS_H_
#define RESNETD_SERVER_EDGE_GRPC_STATUS_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "server/edge/codec.h"

namespace resnetd::server {

grpc::StatusCode ToGrpcCode(const absl::Status& status, const StatusCodes& codes);

// The one border between our errors and gRPC's: code, message and details (grpc-status-details-bin), and the trailer
// grpc-retry-pushback-ms where the error says when to retry. To be called right before Finish().
grpc::Status ToGrpc(const absl::Status& status, const StatusCodes& codes, grpc::CallbackServerContext& context);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_GRPC_STATUS_H_
