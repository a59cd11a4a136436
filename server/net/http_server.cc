#include "server/net/http_server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd::server {
namespace {

// Nobody may stay for long.
constexpr time_t kPatienceSeconds = 2;
constexpr size_t kMaxRequestBytes = 64 << 10;

constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kPrometheus[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr char kIndex[] =
    "resnetd\n/metrics  for Prometheus\n/livez    200 while the process answers\n"
    "/readyz   200 while calls are welcome\n";

class HttplibServer final : public HttpServer {
 public:
  explicit HttplibServer(HttpPages pages) : pages_(std::move(pages)) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_read_timeout(kPatienceSeconds);
    server_.set_write_timeout(kPatienceSeconds);
    server_.set_keep_alive_timeout(kPatienceSeconds);
    server_.set_payload_max_length(kMaxRequestBytes);
    // The library's default also sets SO_REUSEPORT: a second server on a port in use would start and take half of it.
    server_.set_socket_options([](socket_t fd) {
      const int on = 1;
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    server_.Get("/", [](const httplib::Request&, httplib::Response& r) { r.set_content(kIndex, kText); });
    server_.Get("/livez", [](const httplib::Request&, httplib::Response& r) { r.set_content("ok\n", kText); });
    server_.Get("/readyz", [this](const httplib::Request&, httplib::Response& r) {
      const std::string why = pages_.why_not_ready();
      r.status = why.empty() ? 200 : 503;
      r.set_content(why.empty() ? "ok\n" : absl::StrCat(why, "\n"), kText);
    });
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& r) {
      r.set_content(pages_.metrics(), kPrometheus);
    });
  }
  ~HttplibServer() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Listen(const std::string& address, int port) {
    RESNETD_RETURN_IF_ERROR(CheckAddress("--metrics-address", address));
    errno = 0;
    const std::string host = HostOf(address);
    if (port == 0) {
      port_ = server_.bind_to_any_port(host);
    } else {
      port_ = server_.bind_to_port(host, port) ? port : -1;
    }
    if (port_ <= 0) {
      const std::string why = errno == EADDRINUSE ? "the port is in use"
                              : errno != 0        ? std::strerror(errno)
                                                  : "no such address";
      return absl::UnavailableError(absl::StrCat("cannot listen on ", Echo(HostPort(address, port)), ": ", why,
                                                 " (--metrics-address, --metrics-port)"));
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // stop() is lost on a server that does not run yet.
    while (!server_.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return absl::OkStatus();
  }

  int port() const override { return port_; }

 private:
  const HttpPages pages_;
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address, int port, HttpPages pages) {
  auto server = std::make_unique<HttplibServer>(std::move(pages));
  RESNETD_RETURN_IF_ERROR(server->Listen(address, port));
  return server;
}

}  // namespace resnetd::server
