#ifndef RESNETD_SERVER_NET_HTTP_SERVER_H_
#define RESNETD_SERVER_NET_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace resnetd::server {

struct HttpPages {
  std::function<std::string()> metrics;  // /metrics, Prometheus' text format
  // /readyz: "" is 200, anything else 503 with the text. /livez is 200 as long as the process answers.
  std::function<std::string()> why_not_ready;
};

// The plain HTTP port beside gRPC's: what Prometheus scrapes and probes read. Serves from its own few threads, which
// call the pages, until it is destroyed.
class HttpServer {
 public:
  // A connection holds one while it lives: enough for a few scrapers and probes.
  static constexpr int kThreads = 8;

  // `port` 0: any free one. UNAVAILABLE: the address cannot be listened on, "the port is in use" if that is why.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address, int port, HttpPages pages);
  virtual ~HttpServer() = default;
  virtual int port() const = 0;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_HTTP_SERVER_H_
