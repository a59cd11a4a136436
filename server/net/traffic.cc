// A peer's name is "ipv4:127.0.0.1:40000" or "ipv6:[::1]:40000", which gRPC 1.51 writes with %5B and %5D.
#include "server/net/traffic.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace resnetd::server {
namespace {

constexpr std::chrono::milliseconds kStaysTrue(50);

// Returns nothing unless it is connected by TCP.
std::optional<std::string> PeerOf(int fd) {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_storage room;
  } address{};
  socklen_t size = sizeof address;
  if (getpeername(fd, &address.any, &size) != 0) return std::nullopt;
  char text[INET6_ADDRSTRLEN];
  if (address.any.sa_family == AF_INET) {
    inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof text);
    return absl::StrCat("ipv4:", text, ":", ntohs(address.v4.sin_port));
  }
  if (address.any.sa_family != AF_INET6) return std::nullopt;
  const in6_addr& ip = address.v6.sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&ip)) {
    inet_ntop(AF_INET, &ip.s6_addr[12], text, sizeof text);
    return absl::StrCat("ipv4:", text, ":", ntohs(address.v6.sin6_port));
  }
  inet_ntop(AF_INET6, &ip, text, sizeof text);
  return absl::StrCat("ipv6:[", text, "]:", ntohs(address.v6.sin6_port));
}

std::map<std::string, Traffic> ReadAll() {
  std::map<std::string, Traffic> all;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), closedir);
  if (folder == nullptr) return all;
  while (const dirent* entry = readdir(folder.get())) {
    int number = 0;
    if (!absl::SimpleAtoi(entry->d_name, &number)) continue;
    // The duplicate stays the same socket even if the descriptor is closed and given to another file meanwhile.
    const int fd = fcntl(number, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) continue;
    if (const std::optional<std::string> peer = PeerOf(fd)) {
      if (const std::optional<Traffic> traffic = TrafficOf(fd)) all[*peer] = *traffic;
    }
    close(fd);
  }
  return all;
}

}  // namespace

std::optional<Traffic> TrafficOf(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  // A kernel that is older than these figures fills less.
  const bool known = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
                     size >= offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received;
  if (!known) return std::nullopt;
  return Traffic{.received = info.tcpi_bytes_received, .acknowledged = info.tcpi_bytes_acked};
}

std::optional<Traffic> SocketTraffic::Of(const std::string& peer) {
  MutexLock lock(&mu_);
  const Time now = Now();
  if (read_at_ == Time::min() || now - read_at_ > kStaysTrue) {
    by_peer_ = ReadAll();
    read_at_ = now;
  }
  const auto it = by_peer_.find(absl::StrReplaceAll(peer, {{"%5B", "["}, {"%5D", "]"}}));
  return it == by_peer_.end() ? std::nullopt : std::optional(it->second);
}

}  // namespace resnetd::server
