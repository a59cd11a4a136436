// A held call is finished by the function that took it out of the line, under the lock: Work() or its OnCancel().
// Nobody else touches it after that, and gRPC says OnDone() only once it is finished.
#include "server/edge/refusals.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "server/edge/grpc_status.h"

namespace resnetd::server {
namespace {

// The thread looks this often whether some of the held calls may go: those that go together cost less than one by one.
constexpr std::chrono::milliseconds kTick(2);

// While calls are held, headers are handled so long after they came: a little more than what the system lets a worker
// go on for before one of gRPC's threads gets its core.
constexpr std::chrono::milliseconds kBeforeHeaders(4);

// InternalInlineable() lets gRPC tell of the end at once, in the thread that knows, in place of handing it to another
// one, which costs two more switches between threads. It is meant for reactions that do next to nothing, as these.
class RefusedCall final : public Reactor {
 public:
  RefusedCall(grpc::CallbackServerContext& context, const absl::Status& status, const StatusCodes& codes) {
    Finish(ToGrpc(status, codes, context));
  }
  void OnDone() override { delete this; }
  bool InternalInlineable() override { return true; }
};

}  // namespace

class Refusals::HeldCall final : public Reactor {
 public:
  HeldCall(Refusals& refusals, grpc::CallbackServerContext& context, const absl::Status& status,
           const StatusCodes& codes, std::shared_ptr<Connection> from)
      : connection(std::move(from)), refusals_(refusals), context_(context), status_(status), codes_(codes) {}

  void End() { Finish(ToGrpc(status_, codes_, context_)); }
  void OnCancel() override {
    if (refusals_.Remove(*this)) Finish(grpc::Status(grpc::StatusCode::CANCELLED, ""));
  }
  void OnDone() override { delete this; }
  bool InternalInlineable() override { return true; }

  const std::shared_ptr<Connection> connection;  // null: it may have no lull
  // The lock of refusals_ guards both.
  Line::iterator place;
  bool in_line = false;

 private:
  Refusals& refusals_;
  grpc::CallbackServerContext& context_;
  const absl::Status status_;
  const StatusCodes& codes_;
};

Refusals::Refusals(const RefusalPace& pace, Surroundings around)
    : limits_(pace),
      around_(std::move(around)),
      pace_(pace.interval, pace.burst),
      lulls_(pace.lull, pace.backlog),
      thread_([this] { Work(); }) {}

Refusals::~Refusals() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    changed_.Signal();
  }
  thread_.join();
}

Time Refusals::DeadlineOf(const grpc::CallbackServerContext& context, Arrival& arrival) {
  bool lulls = false;
  {
    MutexLock lock(&mu_);
    if (AtRest()) return arrival.deadline;
    lulls = !lulls_.empty();
  }
  Duration waited = Duration::zero();
  if (lulls) {
    const std::string peer = context.peer();
    MutexLock lock(&mu_);
    waited = lulls_.Waited(peer, arrival.at);
    arrival.stale = waited > Duration::zero();
  }
  if (arrival.deadline == Time::max()) return arrival.deadline;
  return arrival.deadline - std::max<Duration>(waited, kBeforeHeaders);
}

Reactor* Refusals::Refuse(grpc::CallbackServerContext& context, const Arrival& arrival, const absl::Status& status,
                          const StatusCodes& codes) {
  const bool saturated = around_.saturated();
  // Calls that come late because of a lull are no reason for the next: their connection would never be heard again.
  std::shared_ptr<Connection> connection = saturated && !arrival.stale ? around_.connection(context.peer()) : nullptr;
  {
    MutexLock lock(&mu_);
    const Time now = Now();
    const bool in_pace = line_.empty() && pace_.Take(now);
    if (saturated && !in_pace && !released_ && line_.size() < limits_.most_held) {
      auto* held = new HeldCall(*this, context, status, codes, connection);
      const Duration left = (arrival.deadline - arrival.at) / 4 * 3;
      held->place = line_.emplace(SaturatingAdd(arrival.at, std::min(left, limits_.longest)), held);
      held->in_line = true;
      if (line_.size() == 1) changed_.Signal();
      const int own = connection == nullptr ? 0 : ++held_of_[connection.get()];
      // A call that would outlive a lull is not worth one: its like are few, and would come late for nothing.
      const bool short_lived = arrival.deadline - arrival.at < limits_.lull;
      if (short_lived && line_.size() > limits_.crowd && own >= limits_.crowd_of_one) BeginLull(connection, now);
      return held;
    }
  }
  return NewRefusedCall(context, status, codes);
}

// Its calls are due at once, so that none of them takes up a place of its client for as long as nothing is read.
void Refusals::BeginLull(const std::shared_ptr<Connection>& connection, Time now) {
  if (!lulls_.Begin(connection, now)) return;
  around_.paused();
  for (auto next = line_.begin(); next != line_.end();) {
    const auto place = next++;
    HeldCall* call = place->second;
    if (call->connection != connection || place->first <= now) continue;
    line_.erase(place);
    call->place = line_.emplace(now, call);
  }
}

void Refusals::Release() {
  MutexLock lock(&mu_);
  released_ = true;
  changed_.Signal();
}

size_t Refusals::held() const {
  MutexLock lock(&mu_);
  return line_.size();
}

bool Refusals::Remove(HeldCall& call) {
  MutexLock lock(&mu_);
  if (!call.in_line) return false;
  TakeOut(call.place);
  return true;
}

Refusals::HeldCall& Refusals::TakeOut(Line::iterator place) {
  HeldCall& call = *place->second;
  line_.erase(place);
  call.in_line = false;
  const auto counted = held_of_.find(call.connection.get());
  if (counted != held_of_.end() && --counted->second == 0) held_of_.erase(counted);
  return call;
}

void Refusals::Work() {
  std::vector<HeldCall*> turn;
  mu_.Lock();
  while (!stopping_) {
    if (AtRest()) {
      changed_.Wait(&mu_);
      continue;
    }
    mu_.Unlock();
    const bool idle = !around_.saturated();
    mu_.Lock();
    const Time now = Now();
    while (!line_.empty() && (idle || released_ || line_.begin()->first <= now || pace_.Take(now))) {
      turn.push_back(&TakeOut(line_.begin()));
    }
    idle || released_ ? lulls_.EndAll(now) : lulls_.EndDue(now);
    mu_.Unlock();
    for (HeldCall* call : turn) call->End();
    turn.clear();
    mu_.Lock();
    if (!AtRest() && !stopping_) changed_.WaitUntil(&mu_, Now() + kTick);
  }
  mu_.Unlock();
}

void YieldToWorkers() {
  static thread_local bool yields = false;
  if (std::exchange(yields, true)) return;
  const sched_param none{};
  sched_setscheduler(0, SCHED_BATCH, &none);  // where that is forbidden it stays as it was
}

Reactor* NewRefusedCall(grpc::CallbackServerContext& context, const absl::Status& status, const StatusCodes& codes) {
  return new RefusedCall(context, status, codes);
}

}  // namespace resnetd::server
