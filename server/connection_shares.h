#ifndef RESNETD_SERVER_CONNECTION_SHARES_H_
#define RESNETD_SERVER_CONNECTION_SHARES_H_

#include <cstdint>

#include "absl/status/statusor.h"

namespace resnetd::server {

// How many connections each port may have at once.
struct ConnectionShares {
  int grpc = 1, http = 1;
};

// Divides --max-connections among the ports, so that probes find room whatever the clients of the gRPC port do. 0: as
// many as the limit of `descriptors` has two each for, less a reserve for files. INVALID_ARGUMENT: so many do not fit,
// or not even one for each port does.
absl::StatusOr<ConnectionShares> ShareConnections(int max_connections, uint64_t descriptors);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_CONNECTION_SHARES_H_
