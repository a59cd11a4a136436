#ifndef RESNETD_SERVER_EDGE_LULLS_H_
#define RESNETD_SERVER_EDGE_LULLS_H_

#include <chrono>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "base/time.h"
#include "server/net/connections.h"

namespace resnetd::server {

// The lulls of connections. In a lull gRPC is not told of what arrives, so that calls wait in the socket and cost
// nothing, and flow control keeps the rest at the client. `now` never goes back. Not thread-safe.
class Lulls {
 public:
  // Calls that waited in the socket are seen within this time from the end of a lull.
  static constexpr std::chrono::milliseconds kCatchUp{50};

  // At most `backlog` calls, the most that a connection may have open, wait in its socket when a lull ends.
  Lulls(Duration length, int backlog) : length_(length), backlog_(backlog) {}

  // False: the connection has a lull, or is catching up after one.
  bool Begin(std::shared_ptr<Connection> connection, Time now);
  // Ends those whose time is over, or all of them.
  void EndDue(Time now);
  void EndAll(Time now);
  // How long a call that is seen now may have waited in the socket of `peer`: since its lull began, for the first calls
  // that come after it. Zero for those of other connections. Counts the call.
  Duration Waited(const std::string& peer, Time now);
  // No connection has a lull or is catching up.
  bool empty() const { return lulls_.empty(); }

 private:
  struct Lull {
    std::shared_ptr<Connection> connection;
    Time begin, end;
    bool over = false;
    int seen = 0;  // calls, since it is over
  };
  void End(Lull& lull, Time now);

  const Duration length_;
  const int backlog_;
  absl::flat_hash_map<std::string, Lull> lulls_;  // by peer
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_LULLS_H_
