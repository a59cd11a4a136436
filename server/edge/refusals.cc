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
           const StatusCodes& codes)
      : refusals_(refusals), context_(context), status_(status), codes_(codes) {}

  void End() { Finish(ToGrpc(status_, codes_, context_)); }
  void OnCancel() override {
    if (refusals_.Remove(*this)) Finish(grpc::Status(grpc::StatusCode::CANCELLED, ""));
  }
  void OnDone() override { delete this; }
  bool InternalInlineable() override { return true; }

  // The lock of refusals_ guards both.
  Line::iterator place;
  bool in_line = false;

 private:
  Refusals& refusals_;
  grpc::CallbackServerContext& context_;
  const absl::Status status_;
  const StatusCodes& codes_;
};

Refusals::Refusals(const RefusalPace& pace, std::function<bool()> saturated)
    : limits_(pace), saturated_(std::move(saturated)), pace_(pace.interval, pace.burst), thread_([this] { Work(); }) {}

Refusals::~Refusals() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    changed_.Signal();
  }
  thread_.join();
}

Reactor* Refusals::Refuse(grpc::CallbackServerContext& context, const Arrival& arrival, const absl::Status& status,
                          const StatusCodes& codes) {
  const bool saturated = saturated_();
  {
    MutexLock lock(&mu_);
    const bool in_pace = line_.empty() && pace_.Take(Now());
    if (saturated && !in_pace && !released_ && line_.size() < limits_.most_held) {
      auto* held = new HeldCall(*this, context, status, codes);
      const Duration left = (arrival.deadline - arrival.at) / 4 * 3;
      held->place = line_.emplace(SaturatingAdd(arrival.at, std::min(left, limits_.longest)), held);
      held->in_line = true;
      if (line_.size() == 1) changed_.Signal();
      return held;
    }
  }
  return NewRefusedCall(context, status, codes);
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
  if (!std::exchange(call.in_line, false)) return false;
  line_.erase(call.place);
  return true;
}

void Refusals::Work() {
  std::vector<HeldCall*> turn;
  mu_.Lock();
  while (!stopping_) {
    if (line_.empty()) {
      changed_.Wait(&mu_);
      continue;
    }
    mu_.Unlock();
    const bool idle = !saturated_();
    mu_.Lock();
    const Time now = Now();
    while (!line_.empty() && (idle || released_ || line_.begin()->first <= now || pace_.Take(now))) {
      turn.push_back(line_.begin()->second);
      turn.back()->in_line = false;
      line_.erase(line_.begin());
    }
    mu_.Unlock();
    for (HeldCall* call : turn) call->End();
    turn.clear();
    mu_.Lock();
    if (!line_.empty() && !released_ && !stopping_) changed_.WaitUntil(&mu_, Now() + kTick);
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
