#ifndef RESNETD_SERVER_EDGE_AUTHENTICATOR_H_
#define RESNETD_SERVER_EDGE_AUTHENTICATOR_H_

#include <grpcpp/support/string_ref.h>

#include <map>

#include "absl/status/statusor.h"
#include "server/edge/codec.h"

namespace resnetd::server {

// The headers that the client sent; valid during the call of Authenticate() only.
using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

// Decides at the headers, before anything of the request is read. Thread-safe; must not block.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // UNAUTHENTICATED: no credentials or wrong ones. PERMISSION_DENIED: known, but not allowed.
  virtual absl::StatusOr<PrincipalId> Authenticate(const Metadata& metadata) = 0;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_AUTHENTICATOR_H_
