// One thread waits for connections that arrive and for those that are over. The latter it sees by duplicates of their
// descriptors: gRPC shuts a socket down before it closes it, which is a hang-up on the duplicate.
#include "server/net/acceptor.h"

#include <fcntl.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/time.h"
#include "server/process/line_limit.h"

namespace resnetd::server {
namespace {

// accept() is tried again after this time where the system has had no descriptor or memory for a connection.
constexpr std::chrono::milliseconds kRetry(100);
// Clients can make it speak by connecting.
constexpr int kLines = 4;
constexpr std::chrono::seconds kWindow(10);
// Events are taken in pieces, so that neither arrivals nor ends wait long for each other.
constexpr size_t kEvents = 64;

absl::Status Errno(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// Says whether accept() fails for more than this one connection.
bool IsLackOfResources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

class EpollAcceptor final : public Acceptor {
 public:
  EpollAcceptor(Listening listening, Settings settings)
      : settings_(std::move(settings)), listening_(std::move(listening)) {}
  ~EpollAcceptor() override {
    StopListening();
    for (const auto& connection : connections_.All()) connection->Cut();
    if (!thread_.joinable()) return;
    Tell(Order::kEnd);
    thread_.join();
  }

  absl::Status Prepare() {
    epoll_ = Descriptor(epoll_create1(EPOLL_CLOEXEC));
    wake_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!epoll_.is_open() || !wake_.is_open()) return Errno("no descriptor to accept connections with (ulimit -n)");
    if (!Watch(wake_.get(), EPOLLIN)) return Errno("epoll");
    for (const Descriptor& socket : listening_.sockets) {
      if (!Watch(socket.get(), EPOLLIN)) return Errno("epoll");
    }
    return absl::OkStatus();
  }

  void Begin() override {
    thread_ = std::thread([this] { Run(); });
  }

  const Connections& connections() const override { return connections_; }

  std::string WhyClosed() const override {
    MutexLock lock(&mu_);
    return why_closed_;
  }

  void StopListening() override {
    MutexLock lock(&mu_);
    if (!thread_.joinable()) return;
    Tell(Order::kStopListening);
    while (!stopped_) changed_.Wait(&mu_);
  }

 private:
  enum class Order : uint64_t { kStopListening = 1, kEnd = uint64_t{1} << 32 };

  void Tell(Order order) {
    const auto value = static_cast<uint64_t>(order);
    // A counter that is this small takes it.
    [[maybe_unused]] const ssize_t written = write(wake_.get(), &value, sizeof value);
  }

  bool Watch(int fd, uint32_t events) {
    epoll_event event{.events = events, .data = {.fd = fd}};
    return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  }
  void Unwatch(int fd) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

  void Run() {
    pthread_setname_np(pthread_self(), "acceptor");
    std::array<epoll_event, kEvents> events;
    while (true) {
      const int timeout = lacking_ != 0 ? static_cast<int>(kRetry.count()) : -1;
      const int count = epoll_wait(epoll_.get(), events.data(), kEvents, timeout);
      if (lacking_ != 0 && Now() >= retry_at_) Retry();
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<size_t>(i)].data.fd;
        if (fd == wake_.get()) {
          if (Obey()) return;
        } else if (!Leave(fd)) {
          Accept(fd);
        }
      }
    }
  }

  // Returns whether it is the end.
  bool Obey() {
    uint64_t orders = 0;
    if (read(wake_.get(), &orders, sizeof orders) != sizeof orders) return false;
    MutexLock lock(&mu_);
    if (!stopped_) {
      Listen(false);
      if (!listening_.socket_file.empty()) unlink(listening_.socket_file.c_str());
      listening_.sockets.clear();
      stopped_ = true;
      changed_.SignalAll();
    }
    return orders >= static_cast<uint64_t>(Order::kEnd);
  }

  void Listen(bool listen) {
    for (const Descriptor& socket : listening_.sockets)
      listen ? (void)Watch(socket.get(), EPOLLIN) : Unwatch(socket.get());
  }

  void Accept(int listener) try {
    Descriptor socket(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.is_open()) {
      // Any other error concerns the one connection that did not come about, or is none.
      if (IsLackOfResources(errno)) Lack();
      return;
    }
    const auto count = static_cast<int64_t>(connections_.count());
    if (count >= settings_.max_connections) return Refuse();
    const std::optional<std::string> peer = PeerOf(socket.get());
    if (!peer) return;
    Descriptor duplicate(fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
    if (!duplicate.is_open()) return Lack();
    const int fd = duplicate.get();
    const auto connection = std::make_shared<Connection>(std::move(duplicate), *peer, Now());
    if (!Watch(fd, 0)) return Lack();  // a hang-up is told unasked
    watched_[fd] = connection;
    connections_.Add(connection);
    settings_.take(std::move(socket));
  } catch (const std::bad_alloc&) {
    errno = ENOMEM;
    Lack();
  }

  // Returns false if it is no connection's.
  bool Leave(int fd) {
    const auto found = watched_.find(fd);
    if (found == watched_.end()) return false;
    Unwatch(fd);  // gRPC may not have closed its own descriptor yet, and until then this one would be told of again
    connections_.Remove(*found->second);
    found->second->Gone();
    watched_.erase(found);
    const int64_t margin = std::max<int64_t>(1, settings_.max_connections / 16);
    if (full_ && static_cast<int64_t>(connections_.count()) + margin <= settings_.max_connections) {
      full_ = false;
      Show();
      Say("there is room for connections again");
    }
    return true;
  }

  void Refuse() {
    settings_.refused();
    if (std::exchange(full_, true)) return;
    Show();
    Say(absl::StrCat(WhyClosed(), "; new ones are closed"));
  }

  // Listeners that go on listening would wake the thread again at once.
  void Lack() {
    const int error = errno;
    retry_at_ = Now() + kRetry;
    if (std::exchange(lacking_, error) != 0) return;
    Listen(false);
    Show();
    Say(WhyClosed());
  }

  void Retry() {
    const Descriptor spare[] = {Descriptor(fcntl(wake_.get(), F_DUPFD_CLOEXEC, 0)),
                                Descriptor(fcntl(wake_.get(), F_DUPFD_CLOEXEC, 0))};
    retry_at_ = Now() + kRetry;
    if (!spare[0].is_open() || !spare[1].is_open()) return;
    lacking_ = 0;
    Listen(true);
    Show();
    Say("connections are accepted again");
  }

  void Show() {
    MutexLock lock(&mu_);
    if (lacking_ != 0) {
      why_closed_ = absl::StrCat("no new connection can be accepted: ", std::strerror(lacking_), " (ulimit -n)");
    } else if (full_) {
      why_closed_ =
          absl::StrCat("there are as many connections as may be: ", settings_.max_connections, " (--max-connections)");
    } else {
      why_closed_.clear();
    }
  }

  void Say(const std::string& what) {
    const Time now = Now();
    if (lines_.Admit(now)) spdlog::warn("{}", what);
    if (const int64_t left_out = lines_.TakeLeftOut(now); left_out > 0)
      spdlog::warn("{} lines on connections were left out", left_out);
  }

  const Settings settings_;
  Descriptor epoll_, wake_;
  Connections connections_;
  std::thread thread_;

  // The thread's own.
  Listening listening_;
  absl::flat_hash_map<int, std::shared_ptr<Connection>> watched_;  // by the duplicate
  bool full_ = false;  // one was refused, and there is not yet room for several
  int lacking_ = 0;    // the error of an accept() that cannot succeed for now
  Time retry_at_{};
  LineLimit lines_{kLines, kWindow};

  mutable Mutex mu_;
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::string why_closed_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Create(Listening listening, Settings settings) {
  auto acceptor = std::make_unique<EpollAcceptor>(std::move(listening), std::move(settings));
  if (const absl::Status prepared = acceptor->Prepare(); !prepared.ok()) return prepared;
  return acceptor;
}

}  // namespace resnetd::server
