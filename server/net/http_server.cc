// One thread runs an io_context: it takes connections, reads requests, answers them, and sees to the times. A second
// one makes /metrics (http_probes.cc). No handler waits for anything.
//
// Whatever happens, each listening socket has an accept under way or a pause after which there is one: the port is
// never deaf.
#include "server/net/http_server.h"

#include <pthread.h>

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <exception>
#include <list>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/descriptor.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "base/time.h"
#include "server/net/http_probes.h"
#include "server/net/http_session.h"
#include "server/net/listening.h"

namespace resnetd::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// The pause after a connection could not be taken. A probe waits a second; trying more often would only heat the
// processor.
constexpr std::chrono::milliseconds kPause(100);
// Between lines of the log about that.
constexpr std::chrono::seconds kBetweenWarnings(60);

// Says whether the client that was waited for has left.
bool HasLeft(const error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again ||
         error == asio::error::connection_aborted;
}

bool IsLackOfResources(const error_code& error) {
  const int number = error.value();
  return number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOBUFS;
}

tcp ProtocolOf(int fd) {
  int family = AF_INET;
  socklen_t size = sizeof family;
  getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
  return family == AF_INET6 ? tcp::v6() : tcp::v4();
}

class AsioServer final : public HttpServer, private HttpSession::Owner {
 public:
  AsioServer(Listening listening, int max_connections, HttpPages pages, const HttpPatience& patience)
      : port_(listening.port),
        max_connections_(static_cast<size_t>(std::max(max_connections, 1))),
        patience_(patience),
        warn_(pages.warn),
        work_(asio::make_work_guard(io_)) {
    probes_.emplace(pages, [this](std::function<void()> call) { asio::post(io_, std::move(call)); });
    for (Descriptor& socket : listening.sockets) {
      tcp::acceptor& acceptor = listeners_.emplace_back(io_).acceptor;
      acceptor.assign(ProtocolOf(socket.get()), socket.get());
      socket.Release();
      acceptor.non_blocking(true);
    }
    thread_ = std::thread([this] { Run(); });
  }

  ~AsioServer() override {
    io_.stop();
    thread_.join();
    probes_.reset();
    while (!sessions_.empty()) sessions_.begin()->second->End(HttpSession::Why::kClientLeft);
  }

  int port() const override { return port_; }

  HttpCounts counts() const override {
    return {.connections = connections_,
            .made_room = made_room_,
            .timed_out = timed_out_,
            .failed = failed_,
            .accept_failures = accept_failures_};
  }

 private:
  struct Listener {
    explicit Listener(asio::io_context& io) : acceptor(io), pause(io) {}
    tcp::acceptor acceptor;
    asio::steady_timer pause;
    // Held by the handler of an accept or a pause. The library may lose a handler when it has no memory.
    std::weak_ptr<char> armed;
  };

  void Run() noexcept {
    pthread_setname_np(pthread_self(), "http");  // for top and gdb
    while (!io_.stopped()) {
      try {
        for (Listener& listener : listeners_) {
          if (listener.armed.expired()) Accept(listener);
        }
        io_.run();
      } catch (const std::exception&) {
        // There is no memory. A session that wanted it is over, or will be in time; what listens is set up anew.
        std::this_thread::sleep_for(kPause);
      }
    }
  }

  // Waits for a client and takes the connection, again and again.
  void Accept(Listener& listener) {
    const auto armed = std::make_shared<char>();
    listener.armed = armed;
    // It waits for a client first: without a descriptor left, accept() fails though nobody has come.
    listener.acceptor.async_wait(tcp::acceptor::wait_read, [this, &listener, armed](const error_code& /*error*/) {
      tcp::socket socket(io_);
      error_code error;
      listener.acceptor.accept(socket, error);
      if (!error) Take(std::move(socket));
      if (error && !HasLeft(error) && !MakeRoomFor(error)) return Pause(listener);
      Accept(listener);
    });
  }

  void Pause(Listener& listener) {
    const auto armed = std::make_shared<char>();
    listener.armed = armed;
    listener.pause.expires_after(kPause);
    listener.pause.async_wait([this, &listener, armed](const error_code& /*error*/) { Accept(listener); });
  }

  void Take(tcp::socket socket) noexcept {
    try {
      if (sessions_.size() >= max_connections_) MakeRoom();
      HttpSession::Owner& owner = *this;
      const auto session = std::make_shared<HttpSession>(std::move(socket), patience_, owner);
      sessions_.emplace(session.get(), session);
      connections_ = static_cast<int64_t>(sessions_.size());
      session->Start();
    } catch (const std::exception&) {
      ++failed_;
    }
  }

  // Closes the session that has waited longest for a whole request; if none waits for one, the one that is being
  // answered for longest. False: there is none.
  bool MakeRoom() {
    const auto before = [](const auto& a, const auto& b) {
      return std::pair(a.second->phase(), a.second->since()) < std::pair(b.second->phase(), b.second->since());
    };
    const auto found = std::min_element(sessions_.begin(), sessions_.end(), before);
    if (found == sessions_.end()) return false;
    found->second->End(HttpSession::Why::kMadeRoom);
    return true;
  }

  // A connection could not be taken. Returns whether it may be worth another try at once.
  bool MakeRoomFor(const error_code& error) {
    ++accept_failures_;
    Warn(error);
    return IsLackOfResources(error) && MakeRoom();
  }

  void Warn(const error_code& error) {
    if (Now() < silent_until_) return;
    silent_until_ = Now() + kBetweenWarnings;
    const std::string line = absl::StrCat(
        "the metrics port could not take a connection: ", std::strerror(error.value()), "; it tries again every ",
        kPause.count(), " ms", IsLackOfResources(error) ? " (ulimit -n, --max-connections)" : "");
    if (warn_) warn_(line);
  }

  void Ended(HttpSession& session, HttpSession::Why why) override {
    switch (why) {
      case HttpSession::Why::kClientLeft:
        break;
      case HttpSession::Why::kMadeRoom:
        ++made_room_;
        break;
      case HttpSession::Why::kTimedOut:
        ++timed_out_;
        break;
      case HttpSession::Why::kFailed:
        ++failed_;
        break;
    }
    sessions_.erase(&session);
    connections_ = static_cast<int64_t>(sessions_.size());
  }

  void Answer(const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) override {
    probes_->Answer(request, reply);
  }

  const int port_;
  const size_t max_connections_;
  const HttpPatience patience_;
  const std::function<void(const std::string&)> warn_;
  std::atomic<int64_t> connections_{0}, made_room_{0}, timed_out_{0}, failed_{0}, accept_failures_{0};
  asio::io_context io_{1};  // run by one thread
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::list<Listener> listeners_;
  std::unordered_map<HttpSession*, std::shared_ptr<HttpSession>> sessions_;  // open ones
  Time silent_until_;
  std::optional<HttpProbes> probes_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address, int port, int max_connections,
                                                              HttpPages pages, const HttpPatience& patience) {
  RESNETD_RETURN_IF_ERROR(CheckAddress("--metrics-address", address));
  absl::StatusOr<Listening> listening = Listen(address, port);
  if (!listening.ok()) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", Echo(HostPort(address, port)), ": ",
                                               listening.status().message(), " (--metrics-address, --metrics-port)"));
  }
  try {
    return std::make_unique<AsioServer>(*std::move(listening), max_connections, std::move(pages), patience);
  } catch (const std::exception& error) {  // of the library's, or of a thread that could not be started
    return absl::UnavailableError(absl::StrCat("the metrics port: ", error.what(), " (ulimit -n, ulimit -u)"));
  }
}

}  // namespace resnetd::server
