#ifndef RESNETD_SERVER_SCHEDULING_SCHEDULER_H_
#define RESNETD_SERVER_SCHEDULING_SCHEDULER_H_

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "base/time.h"
#include "server/scheduling/policy.h"

// Threads, a lock and a clock around the policy. It knows neither gRPC nor the engine: the server gives it jobs and a
// function that computes a batch of them.
namespace resnetd::scheduling {

enum class End : uint8_t { kDeadlineExceeded, kCancelled, kShutdown };

// One admitted item's payload. Exactly one of the two happens to a job: it is handed to one RunBatch call, or OnEnded()
// is called once. Jobs are never destroyed with a lock held.
class Job {
 public:
  virtual ~Job() = default;
  // The job left the queue without being computed. Called by any thread, with no lock held; must not block.
  virtual void OnEnded(End why) = 0;
};

struct Submission {
  std::unique_ptr<Job> job;
  Time deadline = Time::max();
  Duration prepare{};
  size_t bytes = 0;
};

struct Snapshot {
  size_t waiting = 0, waiting_bytes = 0;
  Duration oldest_age{};
  int busy_workers = 0;
};

// The jobs of an admitted group may have been computed, ended and destroyed before Submit() returns.
struct Admission {
  Verdict verdict;
  std::vector<ItemId> items;        // one a submission if admitted, for Cancel()
  std::vector<Submission> refused;  // the group as it came, handed back if not
};

// Computes a batch on worker `worker` (0..workers-1) and finishes its jobs. Runs in the worker's own thread.
using RunBatch = std::function<void(int worker, const Dispatch& dispatch, std::vector<std::unique_ptr<Job>> jobs)>;

// Thread-safe.
class Scheduler {
 public:
  // Starts `limits.workers` threads. `on_worker_start(worker)` runs first in each.
  Scheduler(const Limits& limits, RunBatch run, std::function<void(int worker)> on_worker_start = {});
  // Ends what waits with kShutdown, in order of arrival, waits for the batches in progress, joins the threads. A group
  // submitted by a job or a batch meanwhile ends with kShutdown before Submit() returns.
  ~Scheduler();

  // Works as Policy::AddModel().
  void AddModel(ModelKey model, absl::Span<const BatchCost> costs);
  // Admits the group whole or not at all; never blocks. Deadlines are noticed on time whether workers are busy or idle.
  Admission Submit(ModelKey model, std::vector<Submission> group);
  // As Policy::RefusalOfAll().
  std::optional<Verdict> RefusalOfAll(Time deadline);
  // Every worker has a batch.
  bool saturated() const;
  // The client is gone: if the item still waits, its job ends with kCancelled, in this call. Unknown or running items:
  // no effect.
  void Cancel(ItemId item);
  Snapshot snapshot() const;
  const Limits& limits() const;  // as given; it lives as long as the scheduler

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace resnetd::scheduling

#endif  // RESNETD_SERVER_SCHEDULING_SCHEDULER_H_
