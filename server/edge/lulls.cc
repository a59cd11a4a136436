#include "server/edge/lulls.h"

#include <utility>

namespace resnetd::server {

bool Lulls::Begin(std::shared_ptr<Connection> connection, Time now) {
  const auto [place, is_new] = lulls_.try_emplace(connection->peer());
  if (!is_new) return false;
  connection->Pause();
  place->second = {.connection = std::move(connection), .begin = now, .end = now + length_};
  return true;
}

void Lulls::End(Lull& lull, Time now) {
  lull.connection->Resume();
  lull.over = true;
  lull.end = now;
}

void Lulls::EndDue(Time now) {
  absl::erase_if(lulls_, [&](auto& entry) {
    Lull& lull = entry.second;
    if (!lull.over && lull.end <= now) End(lull, now);
    return lull.over && lull.end + kCatchUp <= now;
  });
}

void Lulls::EndAll(Time now) {
  for (auto& [peer, lull] : lulls_) {
    if (!lull.over) End(lull, now);
  }
}

Duration Lulls::Waited(const std::string& peer, Time now) {
  const auto found = lulls_.find(peer);
  if (found == lulls_.end()) return Duration::zero();
  Lull& lull = found->second;
  if (lull.over && ++lull.seen > backlog_) return Duration::zero();
  return now - lull.begin;
}

}  // namespace resnetd::server
