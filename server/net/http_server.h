#ifndef RESNETD_SERVER_NET_HTTP_SERVER_H_
#define RESNETD_SERVER_NET_HTTP_SERVER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace resnetd::server {

struct HttpPages {
  std::function<std::string()> metrics;  // /metrics, Prometheus' text format
  // /readyz: "" is 200, anything else 503 with the text. /livez is 200 as long as the process answers. Called by the
  // port's own thread, on which nothing may take long.
  std::function<std::string()> why_not_ready;
  std::function<void(const std::string& line)> warn;  // writes a line of the log
};

// Limits how long the port waits for a client, which then is closed.
struct HttpPatience {
  // A whole request has this time, from the connection or, later on, from its first byte. A probe sends one packet, and
  // gives up after a second as a rule.
  std::chrono::milliseconds request{5000};
  // The next request on a connection that has had one. Prometheus scrapes once a minute if nothing else is set, and
  // its connection should outlast the pause.
  std::chrono::milliseconds next_request{90'000};
  // A page to be made. A delay is the server's own fault, and this is long enough for a container throttled to a few
  // percent.
  std::chrono::milliseconds page{60'000};
  // The answer to be taken: as long as Prometheus waits for one.
  std::chrono::milliseconds answer{10'000};
  // The client to close after the last answer: closing before it has read that could take it away.
  std::chrono::milliseconds close{2000};
};

struct HttpCounts {
  int64_t connections = 0;      // now
  int64_t made_room = 0;        // closed for the sake of a newer one
  int64_t timed_out = 0;        // closed as a time of HttpPatience was over
  int64_t failed = 0;           // closed for want of memory, or as a page threw
  int64_t accept_failures = 0;  // connections that could not be taken at once
};

// The plain HTTP port beside gRPC's: what Prometheus scrapes and probes read. No client keeps others from being
// answered: one thread serves all connections, and waits for none of them.
//
// With `max_connections` open, a new one takes the place of the one that has waited longest for a whole request, or, if
// none does, for its answer to be made and taken: a probe always gets in. The same makes room when the process has no
// descriptor left.
class HttpServer {
 public:
  // One serves, and one makes /metrics, on which probes do not wait.
  static constexpr int kThreads = 2;

  // `port` 0: any free one. `max_connections` >= 1. Fails with UNAVAILABLE if the address cannot be listened on, "the
  // port is in use" if that is why, or there are no descriptors or threads for it.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address, int port, int max_connections,
                                                           HttpPages pages, const HttpPatience& patience = {});
  // Waits for a call of the pages that is under way, and for no client.
  virtual ~HttpServer() = default;
  virtual int port() const = 0;
  virtual HttpCounts counts() const = 0;  // any thread
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_HTTP_SERVER_H_
