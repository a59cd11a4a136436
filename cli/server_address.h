#ifndef RESNETD_CLI_SERVER_ADDRESS_H_
#define RESNETD_CLI_SERVER_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace resnetd::cli {

// The port of a server whose address names none.
inline constexpr int kDefaultPort = 8500;

// Turns what people write for a server into the target that gRPC takes, always with a port:
//
//   host, host:1, 192.0.2.7, [::1]:1, [::1], ::1      also behind http:// or grpc://, with nothing or a slash at the
//   end dns:///host, dns:host, ipv4:192.0.2.7, ipv6:[::1]  gRPC's own names unix:PATH, unix:///PATH, unix-abstract:NAME
//   sockets, which have no port
//
// INVALID_ARGUMENT, "expected ..., got 'text'": anything else, TLS among it, and ::1:8500, which may be an address with
// and without a port.
absl::StatusOr<std::string> ParseServer(absl::string_view text);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_SERVER_ADDRESS_H_
