// The calls hold the load, the table does not, and the last call's end takes the entry away. By then another call of
// the connection may have put a new load there, which counts that call alone: the old load's counts are 0.
#include "server/edge/shares.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace resnetd::server {

// gRPC's names are "unix:PATH", "ipv4:127.0.0.1:40000", or "ipv6:[::1]:40000" with %5B and %5D for the brackets.
bool IsProxy(absl::string_view peer, const Networks& proxies) {
  if (absl::StartsWith(peer, "unix")) return true;
  if (!absl::ConsumePrefix(&peer, "ipv4:") && !absl::ConsumePrefix(&peer, "ipv6:")) return false;
  const std::string address = absl::StrReplaceAll(peer.substr(0, peer.rfind(':')), {{"%5B", "["}, {"%5D", "]"}});
  absl::string_view host = address;
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return proxies.Contain(host);
}

void Shares::Table::Drop(const std::string& peer) {
  MutexLock lock(&mu);
  const auto it = loads.find(peer);
  if (it != loads.end() && it->second.expired()) loads.erase(it);
}

size_t Shares::Table::Size() {
  MutexLock lock(&mu);
  return loads.size();
}

Shares::Shares(std::function<bool(absl::string_view peer)> trusted)
    : trusted_(std::move(trusted)), table_(std::make_shared<Table>()) {}

std::shared_ptr<ConnectionLoad> Shares::Of(const std::string& peer) {
  MutexLock lock(&table_->mu);
  std::weak_ptr<ConnectionLoad>& known = table_->loads[peer];
  if (std::shared_ptr<ConnectionLoad> load = known.lock()) return load;
  const auto drop = [table = table_](ConnectionLoad* last) {
    table->Drop(last->peer);
    delete last;
  };
  std::shared_ptr<ConnectionLoad> load(new ConnectionLoad(peer, trusted_(peer)), drop);
  known = load;
  return load;
}

}  // namespace resnetd::server
