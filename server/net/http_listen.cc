#include "server/net/http_listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd::server {
namespace {

// A name may have several addresses: any free port of the first may be in use on another.
constexpr int kTries = 16;

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

void SetPort(Address& address, int port) {
  const in_port_t number = htons(static_cast<uint16_t>(port));
  (address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port) = number;
}

// A name may resolve to the same address twice.
bool operator==(const Address& a, const Address& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

std::vector<Address> Resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return {};
  const absl::Cleanup freeing = [&] { freeaddrinfo(found); };
  std::vector<Address> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
    Address address;
    std::memset(&address, 0, sizeof address);
    std::memcpy(&address, one->ai_addr, one->ai_addrlen);
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) addresses.push_back(address);
  }
  return addresses;
}

// Returns a descriptor, or -1 and errno.
int Listen(const Address& address) {
  const bool is_v6 = address.any.sa_family == AF_INET6;
  const int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1, off = 0;
  // Connections of a server that has just ended are no hindrance. SO_REUSEPORT is left alone: with it a second server
  // on a port in use would start and take half of it.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (is_v6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (bind(fd, &address.any, is_v6 ? sizeof address.v6 : sizeof address.v4) == 0 && listen(fd, SOMAXCONN) == 0)
    return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int PortOf(int fd) {
  Address address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, &address.any, &size) != 0) return 0;
  return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

// A family or an address that this machine does not have.
bool IsMissing(int error) {
  return error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

}  // namespace

ListeningSockets::~ListeningSockets() {
  for (const Socket& one : sockets_) close(one.fd);
}

ListeningSockets::ListeningSockets(ListeningSockets&& other) noexcept : sockets_(std::exchange(other.sockets_, {})) {}

int ListeningSockets::port() const {
  return PortOf(sockets_.front().fd);
}

absl::StatusOr<ListeningSockets> ListeningSockets::On(const std::string& address, int port) {
  RESNETD_RETURN_IF_ERROR(CheckAddress("--metrics-address", address));
  std::vector<Address> addresses = Resolve(HostOf(address));
  int error = 0, missing = 0;
  for (int tries = port == 0 && addresses.size() > 1 ? kTries : 1; tries > 0; --tries) {
    ListeningSockets all;
    error = 0;
    for (Address& one : addresses) {
      SetPort(one, port == 0 && !all.sockets_.empty() ? all.port() : port);
      const int fd = Listen(one);
      if (fd >= 0) {
        all.sockets_.push_back({fd, one.any.sa_family == AF_INET6});
      } else if (IsMissing(errno)) {
        missing = errno;
      } else {
        error = errno;
        break;
      }
    }
    if (error == 0 && !all.sockets_.empty()) return all;
    if (error != EADDRINUSE) break;
  }
  if (error == 0) error = missing;
  const std::string why = error == EADDRINUSE ? "the port is in use"
                          : error != 0        ? std::strerror(error)
                                              : "no such address";
  return absl::UnavailableError(absl::StrCat("cannot listen on ", Echo(HostPort(address, port)), ": ", why,
                                             " (--metrics-address, --metrics-port)"));
}

}  // namespace resnetd::server
