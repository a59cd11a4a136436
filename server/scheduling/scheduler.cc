// Jobs go from hand to hand:
//
//   Submit() --admit--> queue --hand over--> worker's slot --> RunBatch, then the worker hands over again
//                         |  \__ Cancel(): kCancelled
//                         \_____ the timer's thread: kDeadlineExceeded
//
// A thread that makes work or a worker available, by Submit() or as a worker that has finished, hands over under the
// lock until either runs out. So a worker sleeps only while nothing waits, one dispatch wakes one worker, and the batch
// is settled before it wakes. Only the timer's thread ends expired items, so they end on time whether the workers are
// busy or not, and no worker spends its time on them.
//
// Jobs leave the lock with whoever took them from the queue, which is what makes "exactly once" true.
#include "server/scheduling/scheduler.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "base/time.h"

namespace resnetd::scheduling {
namespace {

using Jobs = std::vector<std::unique_ptr<Job>>;

}  // namespace

class Scheduler::Impl {
 public:
  Impl(const Limits& limits, RunBatch run, std::function<void(int)> on_worker_start);
  void Stop();

  void AddModel(ModelKey model, absl::Span<const BatchCost> costs);
  Admission Submit(ModelKey model, std::vector<Submission> group);
  std::optional<Verdict> RefusalOfAll(Time deadline);
  bool saturated() const;
  void Cancel(ItemId item);
  Snapshot snapshot() const;
  const Limits& limits() const { return limits_; }

 private:
  struct Batch {
    Dispatch dispatch;
    Jobs jobs;
    Time since;
  };
  struct Worker {
    CondVar wake;
    std::optional<Batch> slot;
    std::thread thread;
  };

  void Work(int index);
  void EndExpired();
  void HandOver(Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Jobs Take(absl::Span<const ItemId> items) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Ends and destroys `jobs` with the lock released meanwhile.
  void EndJobs(Jobs jobs, End why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Limits limits_;
  const RunBatch run_;
  const std::function<void(int)> on_worker_start_;

  mutable Mutex mu_;
  Policy policy_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<ItemId, std::unique_ptr<Job>> jobs_ ABSL_GUARDED_BY(mu_);  // those that wait
  uint64_t next_item_ ABSL_GUARDED_BY(mu_) = 1;
  std::vector<int> free_ ABSL_GUARDED_BY(mu_);  // the last one in is the first out: its caches are warm
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  Time timer_wake_ ABSL_GUARDED_BY(mu_) = Time::max();  // what the timer sleeps until
  CondVar timer_changed_;

  std::vector<Worker> workers_;  // slots are guarded by mu_; the vector never changes
  std::thread timer_;
};

Scheduler::Impl::Impl(const Limits& limits, RunBatch run, std::function<void(int)> on_worker_start)
    : limits_(limits),
      run_(std::move(run)),
      on_worker_start_(std::move(on_worker_start)),
      policy_(limits),
      workers_(std::max(limits.workers, 1)) {
  MutexLock lock(&mu_);
  for (int i = static_cast<int>(workers_.size()) - 1; i >= 0; --i) {
    free_.push_back(i);
    workers_[i].thread = std::thread([this, i] { Work(i); });
  }
  timer_ = std::thread([this] { EndExpired(); });
}

void Scheduler::Impl::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    for (Worker& worker : workers_) worker.wake.Signal();
    timer_changed_.Signal();
    std::vector<ItemId> items;
    for (const auto& [id, job] : jobs_) items.push_back(id);
    std::sort(items.begin(), items.end());
    for (ItemId id : items) policy_.Cancel(id);
    EndJobs(Take(items), End::kShutdown);
  }
  for (Worker& worker : workers_) worker.thread.join();
  timer_.join();
}

void Scheduler::Impl::AddModel(ModelKey model, absl::Span<const BatchCost> costs) {
  MutexLock lock(&mu_);
  policy_.AddModel(model, costs);
}

Admission Scheduler::Impl::Submit(ModelKey model, std::vector<Submission> group) {
  Admission admission;
  std::vector<Item> items;
  items.reserve(group.size());
  for (const Submission& s : group) items.push_back({ItemId{}, model, s.deadline, s.prepare, s.bytes});
  {
    MutexLock lock(&mu_);
    for (Item& item : items) item.id = ItemId{next_item_++};
    const Time now = Now();
    if (stopping_) {
      Jobs jobs;
      for (Submission& s : group) jobs.push_back(std::move(s.job));
      EndJobs(std::move(jobs), End::kShutdown);
    } else if (admission.verdict = policy_.Admit(items, now); admission.verdict.refusal) {
      admission.refused = std::move(group);
      return admission;
    } else {
      for (size_t i = 0; i < group.size(); ++i) jobs_.emplace(items[i].id, std::move(group[i].job));
      HandOver(now);
      if (policy_.NextWake().value_or(Time::max()) < timer_wake_) timer_changed_.Signal();
    }
  }
  admission.items.reserve(items.size());
  for (const Item& item : items) admission.items.push_back(item.id);
  return admission;
}

std::optional<Verdict> Scheduler::Impl::RefusalOfAll(Time deadline) {
  MutexLock lock(&mu_);
  if (!free_.empty() || stopping_) return std::nullopt;
  return policy_.RefusalOfAll(deadline, Now());
}

bool Scheduler::Impl::saturated() const {
  MutexLock lock(&mu_);
  return free_.empty();
}

void Scheduler::Impl::Cancel(ItemId item) {
  MutexLock lock(&mu_);
  if (policy_.Cancel(item)) EndJobs(Take({&item, 1}), End::kCancelled);
}

Snapshot Scheduler::Impl::snapshot() const {
  MutexLock lock(&mu_);
  Snapshot s;
  s.waiting = policy_.waiting();
  s.waiting_bytes = policy_.waiting_bytes();
  if (const auto oldest = policy_.oldest_arrival()) s.oldest_age = Now() - *oldest;
  s.busy_workers = static_cast<int>(workers_.size() - free_.size());
  return s;
}

void Scheduler::Impl::Work(int index) {
  if (on_worker_start_) on_worker_start_(index);
  Worker& me = workers_[index];
  MutexLock lock(&mu_);
  while (true) {
    while (!me.slot && !stopping_) me.wake.Wait(&mu_);
    if (!me.slot) return;
    Batch batch = *std::exchange(me.slot, std::nullopt);
    mu_.Unlock();
    run_(index, batch.dispatch, std::move(batch.jobs));
    mu_.Lock();
    const Time now = Now();
    policy_.Finished(batch.dispatch.id, now - batch.since, now);
    free_.push_back(index);
    HandOver(now);
  }
}

void Scheduler::Impl::EndExpired() {
  MutexLock lock(&mu_);
  while (!stopping_) {
    if (const std::vector<ItemId> expired = policy_.Expire(Now()); !expired.empty()) {
      EndJobs(Take(expired), End::kDeadlineExceeded);
      continue;  // the world may have changed meanwhile
    }
    timer_wake_ = policy_.NextWake().value_or(Time::max());
    timer_changed_.WaitUntil(&mu_, timer_wake_);
  }
}

void Scheduler::Impl::HandOver(Time now) {
  while (!free_.empty()) {
    std::optional<Dispatch> dispatch = policy_.Next(now);
    if (!dispatch) return;
    Jobs jobs = Take(dispatch->items);
    Worker& worker = workers_[free_.back()];
    free_.pop_back();
    worker.slot.emplace(Batch{*std::move(dispatch), std::move(jobs), now});
    worker.wake.Signal();
  }
}

Jobs Scheduler::Impl::Take(absl::Span<const ItemId> items) {
  Jobs taken;
  taken.reserve(items.size());
  for (ItemId id : items) {
    const auto it = jobs_.find(id);
    taken.push_back(std::move(it->second));
    jobs_.erase(it);
  }
  return taken;
}

void Scheduler::Impl::EndJobs(Jobs jobs, End why) {
  mu_.Unlock();
  for (std::unique_ptr<Job>& job : jobs) {
    job->OnEnded(why);
    job.reset();
  }
  mu_.Lock();
}

Scheduler::Scheduler(const Limits& limits, RunBatch run, std::function<void(int)> on_worker_start)
    : impl_(std::make_unique<Impl>(limits, std::move(run), std::move(on_worker_start))) {}
// Jobs that end here may still call in: impl_ must be there until all have.
Scheduler::~Scheduler() {
  impl_->Stop();
}

void Scheduler::AddModel(ModelKey model, absl::Span<const BatchCost> costs) {
  impl_->AddModel(model, costs);
}
Admission Scheduler::Submit(ModelKey model, std::vector<Submission> group) {
  return impl_->Submit(model, std::move(group));
}
std::optional<Verdict> Scheduler::RefusalOfAll(Time deadline) {
  return impl_->RefusalOfAll(deadline);
}
bool Scheduler::saturated() const {
  return impl_->saturated();
}
void Scheduler::Cancel(ItemId item) {
  impl_->Cancel(item);
}
Snapshot Scheduler::snapshot() const {
  return impl_->snapshot();
}
const Limits& Scheduler::limits() const {
  return impl_->limits();
}

}  // namespace resnetd::scheduling
