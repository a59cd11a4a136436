// gRPC keeps its sockets to itself, so they are looked for among the process' descriptors. Each is duplicated before it
// is looked at: the duplicate stays the same socket even if the descriptor is closed, and its number given to another
// file, between the look and the deed.
#include "server/net/connections.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "absl/strings/numbers.h"

namespace resnetd::server {
namespace {

// Returns nothing unless it is a TCP socket.
std::optional<int> LocalPort(int fd) {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_storage room;
  } address{};
  socklen_t size = sizeof address;
  int type = 0;
  socklen_t type_size = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0 || type != SOCK_STREAM) return std::nullopt;
  if (getsockname(fd, &address.any, &size) != 0) return std::nullopt;
  if (address.any.sa_family == AF_INET) return ntohs(address.v4.sin_port);
  if (address.any.sa_family == AF_INET6) return ntohs(address.v6.sin6_port);
  return std::nullopt;
}

// Else it listens, did so once, or its peer has broken it off.
bool IsConnected(int fd) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

}  // namespace

int CloseInward(int port) {
  int connections = 0;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), closedir);
  if (folder == nullptr) return 0;
  while (const dirent* entry = readdir(folder.get())) {
    int number = 0;
    if (!absl::SimpleAtoi(entry->d_name, &number) || number == dirfd(folder.get())) continue;
    const int fd = fcntl(number, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) continue;
    if (LocalPort(fd) == port) {
      if (IsConnected(fd)) ++connections;
      shutdown(fd, SHUT_RD);
    }
    close(fd);
  }
  return connections;
}

}  // namespace resnetd::server
