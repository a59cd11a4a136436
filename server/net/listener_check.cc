// One check: have two descriptors to spare, connect, send what an HTTP/2 client begins with, read the first frame's
// header, which must be SETTINGS, close.
//
// The descriptors are looked for first, one for each end of the connection: a check that took the last one would itself
// be what makes the port deaf.
#include "server/net/listener_check.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "base/time.h"

namespace resnetd::server {
namespace {

// The client's preface and an empty SETTINGS frame (RFC 9113, 3.4). A frame: length (3 bytes), type, flags, stream (4).
constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";  // and the literal's own \0
constexpr size_t kFrameHeaderBytes = 9, kFrameType = 3;
constexpr char kSettings = 4;

struct Target {
  sockaddr_storage address{};
  socklen_t size = 0;
  std::string name;       // 127.0.0.1:8500
  bool answered = false;  // ever
};

absl::Status Errno(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

void Append(const sockaddr* address, socklen_t size, std::vector<Target>& targets) {
  Target& target = targets.emplace_back();
  std::memcpy(&target.address, address, size);
  target.size = size;
  char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "";
  getnameinfo(address, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
  target.name = address->sa_family == AF_INET6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

void AppendLoopback4(in_port_t port, std::vector<Target>& targets) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = port;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Append(reinterpret_cast<const sockaddr*>(&v4), sizeof v4, targets);
}

// Appends the addresses by which one address that is listened on can be reached.
void AppendReachable(const addrinfo& from, std::vector<Target>& targets) {
  if (from.ai_family == AF_INET) {
    const auto& v4 = *reinterpret_cast<const sockaddr_in*>(from.ai_addr);
    if (v4.sin_addr.s_addr == htonl(INADDR_ANY)) return AppendLoopback4(v4.sin_port, targets);
  } else if (from.ai_family == AF_INET6) {
    sockaddr_in6 v6 = *reinterpret_cast<const sockaddr_in6*>(from.ai_addr);
    if (IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr)) {
      v6.sin6_addr = in6addr_loopback;
      Append(reinterpret_cast<const sockaddr*>(&v6), sizeof v6, targets);
      // Such a port usually takes IPv4 too, and without IPv6 in the kernel nothing else.
      return AppendLoopback4(v6.sin6_port, targets);
    }
  }
  Append(from.ai_addr, from.ai_addrlen, targets);
}

absl::StatusOr<std::vector<Target>> Targets(absl::string_view address, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(HostOf(address).c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return absl::UnavailableError(absl::StrCat(Echo(address), ": ", gai_strerror(error)));
  std::vector<Target> targets;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) AppendReachable(*one, targets);
  freeaddrinfo(found);
  return targets;
}

absl::Status HasDescriptorsForAConnection() {
  int both[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0) return Errno("no descriptor for a connection");
  for (const int fd : both) close(fd);
  return absl::OkStatus();
}

class SocketCheck final : public ListenerCheck {
 public:
  SocketCheck(std::vector<Target> targets, int wake, Settings settings, std::function<void(const std::string&)> changed)
      : settings_(settings), changed_(std::move(changed)), targets_(std::move(targets)), wake_(wake) {
    thread_ = std::thread([this] { Run(); });
  }
  ~SocketCheck() override {
    const uint64_t one = 1;
    // A counter that is 0 takes it.
    [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
    thread_.join();
    close(wake_);
  }

 private:
  // Waits for events on `fd` (-1: for none). OK: there are some; DEADLINE_EXCEEDED; CANCELLED: the check is over.
  absl::Status Wait(int fd, short events, Time deadline) const {
    pollfd both[] = {{wake_, POLLIN, 0}, {fd, events, 0}};
    while (true) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Now()).count();
      const int ready = poll(both, std::size(both), static_cast<int>(std::max<int64_t>(left, 0)));
      if (ready < 0 && errno != EINTR) return Errno("poll");
      if (ready > 0) return both[0].revents != 0 ? absl::CancelledError() : absl::OkStatus();
      if (ready == 0) return absl::DeadlineExceededError("no answer");
    }
  }

  absl::Status Converse(int fd, const Target& target, Time deadline) const {
    if (connect(fd, reinterpret_cast<const sockaddr*>(&target.address), target.size) != 0) {
      if (errno != EINPROGRESS) return Errno("connect");
      RESNETD_RETURN_IF_ERROR(Wait(fd, POLLOUT, deadline));
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) return absl::UnavailableError(absl::StrCat("connect: ", std::strerror(error)));
    }
    // A new connection's buffer takes these few bytes at once.
    if (send(fd, kPreface, sizeof kPreface, MSG_NOSIGNAL) != sizeof kPreface) return Errno("send");
    char header[kFrameHeaderBytes];
    for (size_t have = 0; have < sizeof header;) {
      RESNETD_RETURN_IF_ERROR(Wait(fd, POLLIN, deadline));
      const ssize_t n = recv(fd, header + have, sizeof header - have, 0);
      if (n < 0 && errno != EINTR && errno != EAGAIN) return Errno("recv");
      if (n == 0) return absl::UnavailableError("closed without an answer");
      have += static_cast<size_t>(std::max<ssize_t>(n, 0));
    }
    if (header[kFrameType] != kSettings) return absl::UnavailableError("the answer is no HTTP/2");
    return absl::OkStatus();
  }

  absl::Status Check(const Target& target) const {
    RESNETD_RETURN_IF_ERROR(HasDescriptorsForAConnection());
    const int fd = socket(target.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return Errno("socket");
    const absl::Cleanup closing = [fd] { close(fd); };
    return Converse(fd, target, Now() + settings_.patience);
  }

  // OK if each target answers that ever has, and at least one; else what kept one from it.
  absl::Status CheckAll() {
    absl::Status failed, unheard;
    for (Target& target : targets_) {
      const absl::Status status = Check(target);
      if (absl::IsCancelled(status)) return status;
      if (status.ok()) {
        target.answered = true;
        continue;
      }
      absl::Status& slot = target.answered ? failed : unheard;
      if (slot.ok()) slot = absl::UnavailableError(absl::StrCat(target.name, ": ", status.message()));
    }
    const bool heard = std::any_of(targets_.begin(), targets_.end(), [](const Target& t) { return t.answered; });
    return heard ? failed : unheard;
  }

  void Run() {
    int failures = 0;
    while (true) {
      const absl::Status status = CheckAll();
      if (absl::IsCancelled(status)) return;
      if (status.ok()) {
        if (failures >= settings_.failures) changed_("");
        failures = 0;
      } else if (failures < settings_.failures && ++failures == settings_.failures) {
        changed_(absl::StrCat("the gRPC port does not answer new connections (", status.message(), ")"));
      }
      const auto pause = status.ok() ? settings_.interval : settings_.retry;
      if (absl::IsCancelled(Wait(-1, 0, Now() + pause))) return;
    }
  }

  const Settings settings_;
  const std::function<void(const std::string&)> changed_;
  std::vector<Target> targets_;
  const int wake_;  // an eventfd; readable: over
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ListenerCheck>> ListenerCheck::Start(const std::string& address, int port,
                                                                    Settings settings,
                                                                    std::function<void(const std::string&)> changed) {
  RESNETD_ASSIGN_OR_RETURN(std::vector<Target> targets, Targets(address, port));
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) return Errno("no descriptor for the check of the gRPC port (ulimit -n)");
  return std::make_unique<SocketCheck>(std::move(targets), wake, settings, std::move(changed));
}

}  // namespace resnetd::server
