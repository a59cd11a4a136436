#ifndef RESNETD_SERVER_NET_LISTENING_H_
#define RESNETD_SERVER_NET_LISTENING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/descriptor.h"

namespace resnetd::server {

// Sockets that listen for one address of an operator's, which may stand for several: a name, all interfaces.
struct Listening {
  std::vector<Descriptor> sockets{};  // at least one; they do not block
  int port = 0;                       // of all of them; 0: a unix socket has none
  std::string socket_file{};          // of a unix socket, to be removed when it listens no more
};

// Listens on `address` (base/address.h) and `port`, 0 being any free one, which all sockets then share. 0.0.0.0 and ::
// both mean all interfaces, IPv6's and IPv4's. A unix socket's file that nobody listens on is replaced. What gRPC would
// set on its own sockets is set: no delay, and an end to connections that do not take what they are sent.
//
// UNAVAILABLE says why it cannot listen ("the port is in use"), without the address.
absl::StatusOr<Listening> Listen(const std::string& address, int port);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_LISTENING_H_
