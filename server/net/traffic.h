#ifndef RESNETD_SERVER_NET_TRAFFIC_H_
#define RESNETD_SERVER_NET_TRAFFIC_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

// The kernel's knowledge of a connection's progress. gRPC shows a message when all of it has arrived, and that an
// answer is gone when all of it is.
namespace resnetd::server {

// Bytes since the connection was made.
struct Traffic {
  uint64_t received = 0;
  uint64_t read = 0;  // of those, by its owner
  uint64_t sent = 0;
  uint64_t acknowledged = 0;  // of those, by the other end
};

// That of the connection whose client gRPC calls `peer`; nullopt: it is not known. Thread-safe.
using TrafficSource = std::function<std::optional<Traffic>(const std::string& peer)>;

// Nothing unless it is a TCP socket.
std::optional<Traffic> TrafficOf(int fd);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_TRAFFIC_H_
