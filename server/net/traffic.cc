#include "server/net/traffic.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstddef>

namespace resnetd::server {

std::optional<Traffic> TrafficOf(int fd) {
  // The unread bytes are asked for first, so that they cannot be more than what has arrived.
  int unread = 0;
  tcp_info info{};
  socklen_t size = sizeof info;
  // A kernel that is older than these figures fills less.
  const bool known = ioctl(fd, SIOCINQ, &unread) == 0 && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
                     size >= offsetof(tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent;
  if (!known) return std::nullopt;
  return Traffic{.received = info.tcpi_bytes_received,
                 .read = info.tcpi_bytes_received - static_cast<uint64_t>(unread),
                 .sent = info.tcpi_bytes_sent,
                 .acknowledged = info.tcpi_bytes_acked};
}

}  // namespace resnetd::server
