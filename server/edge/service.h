#ifndef RESNETD_SERVER_EDGE_SERVICE_H_
#define RESNETD_SERVER_EDGE_SERVICE_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/impl/service_type.h>

#include <memory>
#include <string>
#include <vector>

#include "server/edge/call.h"

namespace resnetd::server {

class Authenticator;

// One protocol's service at the first gate: every call of its methods comes here at its headers and is either let in as
// a Call or answered at once.
//
// All methods are registered as streams of bytes, whatever the .proto says: a unary method registered as such, raw or
// not, is announced only after gRPC has read the whole message. A client cannot tell the difference.
class InferenceEndpoint final : public grpc::Service {
 public:
  // `refusals` outlives it. `stream_window`: requests of a stream that are read and not yet answered and sent.
  // `authenticator` may be null.
  InferenceEndpoint(Protocol protocol, const Services& services, Refusals& refusals, int stream_window,
                    std::shared_ptr<Authenticator> authenticator);

 private:
  Reactor* Arrived(const ServedMethod& served, grpc::CallbackServerContext& context);

  const Protocol protocol_;
  const Services services_;
  Refusals& refusals_;
  const std::shared_ptr<Authenticator> authenticator_;
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
