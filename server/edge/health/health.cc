// Subscribers are called outside the lock and ask for the state themselves, so that what each of them sends last is
// what is true last, in whichever order changes are told.
#include "server/edge/health/health.h"

#include <iterator>
#include <utility>

namespace resnetd::server {

Health::Health() : serving_{{"", false}, {std::string(kLiveness), true}} {}

void Health::Set(absl::string_view name, bool serving) {
  std::vector<std::function<void()>> told;
  {
    MutexLock lock(&mu_);
    if (stopped_ && name != kLiveness) serving = false;
    const auto [it, added] = serving_.emplace(name, serving);
    if (!added && it->second == serving) return;
    it->second = serving;
    told = Subscribers(name);
  }
  for (const auto& changed : told) changed();
}

void Health::Stop() {
  std::vector<std::function<void()>> told;
  {
    MutexLock lock(&mu_);
    stopped_ = true;
    for (auto& [name, serving] : serving_) serving = name == kLiveness && serving;
    told = Subscribers(std::nullopt);
  }
  for (const auto& changed : told) changed();
}

void Health::End() {
  std::vector<std::function<void()>> told;
  {
    MutexLock lock(&mu_);
    ended_ = true;
    told = Subscribers(std::nullopt);
  }
  for (const auto& changed : told) changed();
}

bool Health::ended() const {
  MutexLock lock(&mu_);
  return ended_;
}

std::optional<bool> Health::Get(absl::string_view name) const {
  MutexLock lock(&mu_);
  const auto it = serving_.find(name);
  return it == serving_.end() ? std::nullopt : std::optional(it->second);
}

Health::Subscription Health::Subscribe(std::string name, std::function<void()> changed) {
  MutexLock lock(&mu_);
  subscribers_.push_back({std::move(name), std::move(changed)});
  const auto it = std::prev(subscribers_.end());
  return {&*it, [this, it](const void*) {
            MutexLock unsubscribing(&mu_);
            subscribers_.erase(it);
          }};
}

size_t Health::subscriptions() const {
  MutexLock lock(&mu_);
  return subscribers_.size();
}

std::vector<std::function<void()>> Health::Subscribers(std::optional<absl::string_view> name) const {
  std::vector<std::function<void()>> told;
  for (const Subscriber& subscriber : subscribers_) {
    if (!name || subscriber.name == *name) told.push_back(subscriber.changed);
  }
  return told;
}

}  // namespace resnetd::server
