#include "server/net/listening.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/status_macros.h"

namespace resnetd::server {
namespace {

// Bytes that have been sent and that a client's system does not take for so long end its connection.
constexpr int kUserTimeoutMs = 20'000;

// ALREADY_EXISTS and PERMISSION_DENIED are what another family's socket would meet too.
absl::Status Errno() {
  if (errno == EADDRINUSE) return absl::AlreadyExistsError("the port is in use");
  if (errno == EACCES) return absl::PermissionDeniedError(std::strerror(errno));
  return absl::UnavailableError(std::strerror(errno));
}

absl::Status Errno(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

template <typename T>
const sockaddr* Any(const T& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

int BoundPort(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

void Set(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);  // a kernel without it serves as well
}

// One of the sockets. `both` families: an IPv6 socket takes IPv4 too.
absl::StatusOr<Descriptor> ListenTcp(const sockaddr* address, socklen_t size, bool both) {
  Descriptor fd(socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return Errno();
  Set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  Set(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);  // connections inherit these two
  Set(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
  if (address->sa_family == AF_INET6) Set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, both ? 0 : 1);
  if (bind(fd.get(), address, size) != 0 || listen(fd.get(), SOMAXCONN) != 0) return Errno();
  return fd;
}

absl::StatusOr<Listening> ListenOnAll(int port) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(static_cast<uint16_t>(port));
  absl::StatusOr<Descriptor> fd = ListenTcp(Any(v6), sizeof v6, true);
  if (absl::IsUnavailable(fd.status())) {  // no IPv6 on this machine
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<uint16_t>(port));
    fd = ListenTcp(Any(v4), sizeof v4, false);
  }
  RESNETD_RETURN_IF_ERROR(fd.status());
  Listening listening{.port = BoundPort(fd->get())};
  listening.sockets.push_back(*std::move(fd));
  return listening;
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

// A name may have addresses that this machine has not, such as IPv6's localhost in a container: one has to do. Of those
// that it has none may be somebody else's.
absl::StatusOr<Listening> ListenOnNamed(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0) return absl::UnavailableError(gai_strerror(error));
  const std::unique_ptr<addrinfo, FreeAddresses> found(list);
  Listening listening{.port = port};
  absl::Status failed;
  for (const addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
    sockaddr_storage address{};
    std::memcpy(&address, one->ai_addr, one->ai_addrlen);
    // The port of both families stands in the same place.
    reinterpret_cast<sockaddr_in&>(address).sin_port = htons(static_cast<uint16_t>(listening.port));
    absl::StatusOr<Descriptor> fd = ListenTcp(Any(address), one->ai_addrlen, false);
    if (!fd.ok()) {
      if (absl::IsAlreadyExists(fd.status())) return fd.status();
      failed.Update(fd.status());
      continue;
    }
    listening.port = BoundPort(fd->get());
    listening.sockets.push_back(*std::move(fd));
  }
  if (listening.sockets.empty()) return failed;
  return listening;
}

// A server that was killed has left its file. Where somebody answers it is theirs, and where it is no socket it is
// somebody's by mistake.
absl::Status RemoveDeadSocket(const sockaddr_un& address) {
  struct stat file {};
  if (lstat(address.sun_path, &file) != 0) return errno == ENOENT ? absl::OkStatus() : Errno();
  if (!S_ISSOCK(file.st_mode)) return absl::UnavailableError("there is a file that is no socket");
  const Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return Errno();
  if (connect(fd.get(), Any(address), sizeof address) == 0 || errno != ECONNREFUSED) {
    return absl::UnavailableError("the socket is in use");
  }
  return unlink(address.sun_path) == 0 ? absl::OkStatus() : Errno("cannot replace the old socket");
}

absl::StatusOr<Listening> ListenOnFile(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return absl::UnavailableError(
        absl::StrCat("expected a path of at most ", sizeof address.sun_path - 1, " bytes, got ", path.size()));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  RESNETD_RETURN_IF_ERROR(RemoveDeadSocket(address));
  Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return Errno();
  if (bind(fd.get(), Any(address), sizeof address) != 0 || listen(fd.get(), SOMAXCONN) != 0) return Errno();
  Listening listening{.socket_file = path};
  listening.sockets.push_back(std::move(fd));
  return listening;
}

absl::StatusOr<Listening> ListenAnywhere(const std::string& address, int port) {
  if (IsSocketFile(address)) return ListenOnFile(SocketFileOf(address));
  const std::string host = HostOf(address);
  if (host == "0.0.0.0" || host == "::") return ListenOnAll(port);
  return ListenOnNamed(host, port);
}

}  // namespace

absl::StatusOr<Listening> Listen(const std::string& address, int port) {
  absl::StatusOr<Listening> listening = ListenAnywhere(address, port);
  if (!listening.ok()) return absl::UnavailableError(listening.status().message());
  return listening;
}

}  // namespace resnetd::server
