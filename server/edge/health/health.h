#ifndef RESNETD_SERVER_EDGE_HEALTH_HEALTH_H_
#define RESNETD_SERVER_EDGE_HEALTH_HEALTH_H_

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "server/edge/codec.h"

namespace resnetd::server {

// Keeps what the health service says, which is whether each name is served, and tells subscribers of changes.
// Thread-safe; protocols and watches of it refer to it.
class Health {
 public:
  // The name whose health is that of the process.
  static constexpr absl::string_view kLiveness = "liveness";

  // "" and `kLiveness` are there from the start: not served, and served.
  Health();

  void Set(absl::string_view name, bool serving);
  // Makes all names but the process's not served, whatever Set() says later.
  void Stop();
  // Lets watches end, each when it has told the last state.
  void End();
  bool ended() const;

  // nullopt: the name is unknown.
  std::optional<bool> Get(absl::string_view name) const;

  using Subscription = std::unique_ptr<const void, std::function<void(const void*)>>;
  // Calls `changed` after each change of the name's state, on the thread that makes it, until the result is gone; one
  // call more may be under way then. The health outlives the result.
  Subscription Subscribe(std::string name, std::function<void()> changed);
  size_t subscriptions() const;  // that have not gone

 private:
  struct Subscriber {
    std::string name;
    std::function<void()> changed;
  };
  // Returns the subscribers of one name, or all.
  std::vector<std::function<void()>> Subscribers(std::optional<absl::string_view> name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  std::map<std::string, bool, std::less<>> serving_ ABSL_GUARDED_BY(mu_);
  std::list<Subscriber> subscribers_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false, ended_ ABSL_GUARDED_BY(mu_) = false;
};

// grpc.health.v1.Health. `health` outlives it.
Protocol HealthProtocol(Health& health);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_HEALTH_HEALTH_H_
