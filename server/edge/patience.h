#ifndef RESNETD_SERVER_EDGE_PATIENCE_H_
#define RESNETD_SERVER_EDGE_PATIENCE_H_

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/enum_table.h"
#include "base/mutex.h"
#include "base/time.h"
#include "server/edge/shares.h"
#include "server/net/traffic.h"

namespace resnetd::server {

// Somebody who waits for his client.
class Waiter {
 public:
  virtual ~Waiter() = default;
  // Returns himself, or null while he is being destroyed.
  virtual std::shared_ptr<Waiter> Self() = 0;
  // Says that the client has had its time. It is called without a lock, and the wait may have ended in the same moment.
  virtual void Overdue(Awaited what) = 0;
};

// Says when a client that sends nothing, or takes nothing, has had its time. Thread-safe.
//
// A client's time is over when it has passed and its connection stood still for half of it: a large message on a slow
// line takes longer, and moves. gRPC does not show which call's bytes arrive, so what moves is the connection, by
// `kLeastBytes` in half of the time for each of its calls that wait for the same. A connection whose count is not known
// does not move. The time is over in any case when it has passed `kMostTimes` times.
//
// All wait equally long, so the order of their beginning is that of their ends, and Begin() and End() are a few
// pointers under a lock.
class Patience {
 public:
  static constexpr uint64_t kLeastBytes = 4096;
  static constexpr int kMostTimes = 60;

  // `times`: of zero is for ever. `traffic`: see TrafficSource; it is asked without a lock.
  Patience(EnumTable<Awaited, Duration> times, TrafficSource traffic);

  // One waiter's wait, which is a member of his. `load` is his connection's. Both outlive it, and it must have ended
  // when it is destroyed.
  class Wait {
   public:
    Wait(Waiter& who, ConnectionLoad& load) : who_(who), load_(load) {}
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

   private:
    friend class Patience;
    Waiter& who_;
    ConnectionLoad& load_;
    // Guarded by the patience's lock:
    std::list<Wait*> node_{this};  // empty while the node is in a queue
    const std::list<Wait*>::iterator at_ = node_.begin();
    bool waiting_ = false;
    Awaited what_{};
    Time since_, due_;
    bool looked_at_ = false;        // once at least
    std::optional<uint64_t> seen_;  // the connection's bytes at that look
  };

  // Begins the wait, which must not be under way.
  void Begin(Wait& wait, Awaited what, Time now);
  // Ends the wait; does nothing if it does not wait for this.
  void End(Wait& wait, Awaited what);

  // Tells those whose time is over.
  void Look(Time now);
  // Looks now and then, and sleeps while nobody waits. Returns after Stop().
  void Run();
  void Stop();

  // DEADLINE_EXCEEDED for a call whose message did not come.
  absl::Status MessageOverdue() const;

 private:
  using Queue = std::list<Wait*>;
  struct Due {
    std::shared_ptr<Waiter> who;
    Wait* wait;
  };

  void Enqueue(Wait& wait, Time due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndLocked(Wait& wait) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Nobody() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<Due> TakeDue(Time now);
  bool MayGoOn(Wait& wait, const std::optional<Traffic>& traffic, Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const EnumTable<Awaited, Duration> times_;
  const TrafficSource traffic_;
  const Duration between_looks_;

  Mutex mu_;
  CondVar changed_;
  EnumTable<Awaited, Queue> queues_ ABSL_GUARDED_BY(mu_);
  bool asleep_ ABSL_GUARDED_BY(mu_) = false, stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_PATIENCE_H_
