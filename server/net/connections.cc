#include "server/net/connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace resnetd::server {

namespace {

uint64_t NextId() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

// Large messages are not held up: a model that takes them is not one whose refusals cost as much as its answers.
constexpr int kPausedBytes = 256 << 10;

}  // namespace

Connection::Connection(Descriptor duplicate, std::string peer, Time since)
    : id_(NextId()), peer_(std::move(peer)), since_(since), socket_(std::move(duplicate)) {}

std::optional<Traffic> Connection::traffic() {
  MutexLock lock(&mu_);
  return socket_.is_open() && !cut_ ? TrafficOf(socket_.get()) : std::nullopt;
}

void Connection::CloseInward() {
  Shutdown(SHUT_RD);
}

void Connection::Pause() {
  SetLowWater(kPausedBytes);
}

void Connection::Resume() {
  SetLowWater(1);
}

// The kernel compares what waits with it at once (tcp_set_rcvlowat in Linux), and makes the receive buffer twice as
// large.
void Connection::SetLowWater(int bytes) {
  MutexLock lock(&mu_);
  if (socket_.is_open()) setsockopt(socket_.get(), SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

void Connection::Cut() {
  MutexLock lock(&mu_);
  cut_ = true;
  if (!socket_.is_open()) return;
  // A socket that is only shut may still be read from, and some megabytes may wait in it; and its client would not
  // learn of it while it has no room to send. Unix sockets know no other way.
  const sockaddr none{.sa_family = AF_UNSPEC, .sa_data = {}};
  if (connect(socket_.get(), &none, sizeof none) != 0) shutdown(socket_.get(), SHUT_RDWR);
}

void Connection::Shutdown(int how) {
  MutexLock lock(&mu_);
  if (socket_.is_open()) shutdown(socket_.get(), how);
}

void Connection::Gone() {
  MutexLock lock(&mu_);
  socket_.Close();
}

void Connections::Add(std::shared_ptr<Connection> connection) {
  MutexLock lock(&mu_);
  // Two clients may have one name, if they talk to two addresses of this machine: the later one is found by it.
  if (!connection->peer().empty()) by_peer_[connection->peer()] = connection;
  all_[connection.get()] = std::move(connection);
}

void Connections::Remove(const Connection& connection) {
  MutexLock lock(&mu_);
  const auto named = by_peer_.find(connection.peer());
  if (named != by_peer_.end() && named->second.get() == &connection) by_peer_.erase(named);
  all_.erase(&connection);
}

size_t Connections::count() const {
  MutexLock lock(&mu_);
  return all_.size();
}

std::shared_ptr<Connection> Connections::Find(absl::string_view peer) const {
  std::string decoded;
  if (absl::StrContains(peer, '%')) {
    decoded = absl::StrReplaceAll(peer, {{"%5B", "["}, {"%5D", "]"}, {"%25", "%"}});
    peer = decoded;
  }
  MutexLock lock(&mu_);
  const auto found = by_peer_.find(peer);
  return found == by_peer_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<Connection>> Connections::All() const {
  MutexLock lock(&mu_);
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(all_.size());
  for (const auto& [address, connection] : all_) all.push_back(connection);
  return all;
}

std::optional<std::string> PeerOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return absl::StrCat("ipv4:", text, ":", ntohs(v4.sin_port));
  }
  if (address.ss_family != AF_INET6) return "";
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  const int port = ntohs(v6.sin6_port);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof text);
    return absl::StrCat("ipv4:", text, ":", port);
  }
  inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  const std::string scope = v6.sin6_scope_id == 0 ? "" : absl::StrCat("%", v6.sin6_scope_id);
  return absl::StrCat("ipv6:[", text, scope, "]:", port);
}

}  // namespace resnetd::server
