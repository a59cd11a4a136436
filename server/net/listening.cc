#include "server/net/listening.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/status_macros.h"

namespace resnetd::server {
namespace {

// Bytes that have been sent and that a client's system does not take for so long end its connection.
constexpr int kUserTimeoutMs = 20'000;
// A free port of a name with several addresses is looked for this often at most.
constexpr int kTries = 16;

// ALREADY_EXISTS and PERMISSION_DENIED are what another family's socket would meet too.
absl::Status Errno() {
  if (errno == EADDRINUSE) return absl::AlreadyExistsError("the port is in use");
  if (errno == EACCES) return absl::PermissionDeniedError(std::strerror(errno));
  return absl::UnavailableError(std::strerror(errno));
}

absl::Status Errno(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// Resolve() clears addresses before it fills them, the bytes between their members too.
bool operator==(const Address& a, const Address& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;  // NOLINT(bugprone-suspicious-memory-comparison)
}

in_port_t& PortOf(Address& address) {
  return address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port;
}

void SetPort(Address& address, int port) {
  PortOf(address) = htons(static_cast<uint16_t>(port));
}

socklen_t SizeOf(const Address& address) {
  return address.any.sa_family == AF_INET6 ? sizeof address.v6 : sizeof address.v4;
}

int BoundPort(int fd) {
  Address address{};
  socklen_t size = sizeof address;
  getsockname(fd, &address.any, &size);
  return ntohs(PortOf(address));
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
  Address address{};
  address.v6.sin6_family = AF_INET6;
  SetPort(address, port);
  absl::StatusOr<Descriptor> fd = ListenTcp(&address.any, SizeOf(address), true);
  if (absl::IsUnavailable(fd.status())) {  // no IPv6 on this machine
    address = {};
    address.v4.sin_family = AF_INET;
    SetPort(address, port);
    fd = ListenTcp(&address.any, SizeOf(address), false);
  }
  RESNETD_RETURN_IF_ERROR(fd.status());
  Listening listening{.port = BoundPort(fd->get())};
  listening.sockets.push_back(*std::move(fd));
  return listening;
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

// Returns the addresses of a name, each once: a name may resolve to the same one twice.
absl::StatusOr<std::vector<Address>> Resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (error != 0) return absl::UnavailableError(gai_strerror(error));
  const std::unique_ptr<addrinfo, FreeAddresses> found(list);
  std::vector<Address> addresses;
  for (const addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
    Address address;
    std::memset(&address, 0, sizeof address);
    std::memcpy(&address, one->ai_addr, std::min<size_t>(one->ai_addrlen, sizeof address));
    if (!absl::c_linear_search(addresses, address)) addresses.push_back(address);
  }
  return addresses;
}

// A name may have addresses that this machine has not, such as IPv6's localhost in a container: one has to do. Of those
// that it has none may be somebody else's.
absl::StatusOr<Listening> ListenOnEach(const std::vector<Address>& addresses, int port) {
  Listening listening{.port = port};
  absl::Status failed;
  for (Address address : addresses) {
    SetPort(address, listening.port);
    absl::StatusOr<Descriptor> fd = ListenTcp(&address.any, SizeOf(address), false);
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

// A port that is free on the first address may be in use on another.
absl::StatusOr<Listening> ListenOnNamed(const std::string& host, int port) {
  RESNETD_ASSIGN_OR_RETURN(const std::vector<Address> addresses, Resolve(host));
  absl::StatusOr<Listening> listening = ListenOnEach(addresses, port);
  for (int tries = 1; tries < kTries && port == 0 && absl::IsAlreadyExists(listening.status()); ++tries) {
    listening = ListenOnEach(addresses, port);
  }
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
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno != ECONNREFUSED) {
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
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd.get(), SOMAXCONN) != 0)
    return Errno();
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
