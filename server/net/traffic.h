#ifndef RESNETD_SERVER_NET_TRAFFIC_H_
#define RESNETD_SERVER_NET_TRAFFIC_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "base/time.h"

// What the kernel knows of a connection's progress. gRPC shows a message when all of it has arrived, and that an answer
// is gone when all of it is.
namespace resnetd::server {

// Bytes since the connection was made.
struct Traffic {
  uint64_t received = 0;
  uint64_t acknowledged = 0;  // by the other end, of those sent
};

// That of the connection whose client gRPC calls `peer`; nullopt: it is not known. Thread-safe.
using TrafficSource = std::function<std::optional<Traffic>(const std::string& peer)>;

// Nothing unless it is a TCP socket.
std::optional<Traffic> TrafficOf(int fd);

// Looks for the peer among this process' descriptors, through /proc. Thread-safe. What it has seen stays true for a
// twentieth of a second, so that asking for many connections at once reads all descriptors once.
class SocketTraffic {
 public:
  std::optional<Traffic> Of(const std::string& peer);

 private:
  Mutex mu_;
  Time read_at_ ABSL_GUARDED_BY(mu_) = Time::min();
  std::map<std::string, Traffic> by_peer_ ABSL_GUARDED_BY(mu_);
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_TRAFFIC_H_
