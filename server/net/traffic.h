#ifndef RESNETD_SERVER_NET_TRAFFIC_H_
#define RESNETD_SERVER_NET_TRAFFIC_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

// The kernel knows how far a connection is. gRPC shows a message when all of it has arrived, and that an answer is gone
// when all of it is.
namespace resnetd::server {

// Bytes since the connection was made.
struct Traffic {
  uint64_t received = 0;
  uint64_t read = 0;  // of those, by its owner
  uint64_t sent = 0;
  uint64_t acknowledged = 0;  // of those, by the other end
};

// Returns the traffic of the connection whose client gRPC calls `peer`; nullopt if it is not known. Thread-safe.
using TrafficSource = std::function<std::optional<Traffic>(const std::string& peer)>;

// Returns the traffic of a TCP socket; nullopt for any other, and on a kernel that does not count it.
std::optional<Traffic> TrafficOf(int fd);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_TRAFFIC_H_
