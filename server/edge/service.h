#ifndef RESNETD_SERVER_EDGE_SERVICE_H_
#define RESNETD_SERVER_EDGE_SERVICE_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/impl/service_type.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/edge/call.h"
#include "server/edge/shares.h"

namespace resnetd::server {

class Authenticator;

// One protocol's service at the first gate: every call of its methods comes here at its headers and is either let in,
// as a Call or one that watches, or answered at once.
//
// All methods are registered as streams of bytes, whatever the .proto says: a unary method registered as such, raw or
// not, is announced only after gRPC has read the whole message. A client cannot tell the difference.
class Endpoint final : public grpc::Service {
 public:
  // `stream_window`: requests of a stream that are read and not yet answered and sent. `authenticator` may be null.
  // `refusals` and `shares` outlive it. `retires`: when a stream that a client (`peer`, as gRPC calls it) begins now is
  // to end.
  Endpoint(Protocol protocol, const Services& services, Refusals& refusals, Shares& shares, int stream_window,
           std::shared_ptr<Authenticator> authenticator,
           std::function<Time(const std::string& peer, Time now)> retires);

 private:
  Reactor* Arrived(const ServedMethod& served, grpc::CallbackServerContext& context);
  absl::StatusOr<PrincipalId> Authenticate(const Method& method, const grpc::CallbackServerContext& context) const;

  const Protocol protocol_;
  const Services services_;
  Refusals& refusals_;
  Shares& shares_;
  const std::shared_ptr<Authenticator> authenticator_;
  const std::function<Time(const std::string&, Time)> retires_;
  std::vector<std::unique_ptr<std::string>> names_;
};

// Everything else: UNIMPLEMENTED, and counted.
class UnknownMethods final : public grpc::CallbackGenericService {
 public:
  // `services`: the names of those that there are, for the error.
  UnknownMethods(const std::vector<std::string>& services, Metrics& metrics);
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override;

 private:
  const absl::Status error_;
  MethodMetrics& metrics_;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_SERVICE_H_
