// One state machine for unary calls and streams. Reactions come from gRPC's threads, ends of exchanges from workers,
// any of them at once. Each changes the state under the lock, in the same critical section takes the NextStep() that
// follows from it, and carries it out outside:
//
//   read -> exchange Start() -> Submit() --+--> queue full: held until an earlier exchange of this stream is done
//                                          +--> answered; in order: write (unary: write and finish)
//
// Finish() is decided once, only when nothing is being read or written and every exchange is answered, and is the last
// that gRPC hears of the call. (A call whose request does not come is finished while it reads; gRPC ends the read.)
// OnDone() may follow on another thread at once, while others are still between the lock and the end of their (empty)
// step. The call outlives them: whoever comes from gRPC does so within a reaction, and gRPC calls OnDone() after all
// others; whoever comes from a worker is an exchange, which holds the call until it has reported; and the patience
// holds whom it calls. After OnDone() nobody touches what is gRPC's, `context_` and the like: it belongs to steps that
// are not empty, and with Finish() there are none left.
#include "server/edge/call.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/time.h"
#include "server/edge/buffers.h"
#include "server/edge/error.h"
#include "server/edge/grpc_status.h"

namespace resnetd::server {
namespace {}  // namespace

Call::Call(grpc::CallbackServerContext& context, const ServedMethod& served, const Services& services,
           const Arrival& arrival, std::shared_ptr<ConnectionLoad> load)
    : context_(context),
      served_(served),
      services_(services),
      arrival_(arrival),
      load_(std::move(load)),
      wait_(*this, *load_),
      slot_(!served.method.streaming) {}

Reactor* Call::New(grpc::CallbackServerContext& context, const ServedMethod& served, const Services& services,
                   const Arrival& arrival, std::shared_ptr<ConnectionLoad> load) {
  const auto call = std::make_shared<Call>(context, served, services, arrival, std::move(load));
  call->held_by_grpc_ = call;
  if (arrival.retires != Time::max()) {
    // An alarm keeps what it was set with for as long as it lives, and it is a part of the call: it must not hold it.
    const auto retire = [one = std::weak_ptr<Call>(call)](bool due) {
      if (const std::shared_ptr<Call> alive = due ? one.lock() : nullptr) alive->Retire();
    };
    call->retirement_.Set(std::chrono::system_clock::now() + (arrival.retires - arrival.at), retire);
  }
  if (!served.method.streaming) services.patience.Begin(call->wait_, Awaited::kMessage, arrival.at);
  call->StartRead(&call->read_buffer_);
  return call.get();
}

void Call::OnReadDone(bool ok) {
  if (!served_.method.streaming) services_.patience.End(wait_, Awaited::kMessage);
  if (!ok) {
    Step step;
    {
      MutexLock lock(&mu_);
      reading_ = false;
      no_more_requests_ = true;
      cancelled_ = cancelled_ || context_.IsCancelled();
      step = NextStep();
    }
    return Take(std::move(step));
  }
  Arrival arrival = arrival_;
  if (served_.method.streaming) arrival.at = Now();
  const auto exchange = std::make_shared<Exchange>(services_, *served_.method.codec, arrival, shared_from_this());
  bool cancelled = false;
  std::optional<Rejection> refused;
  {
    MutexLock lock(&mu_);
    if (finished_) return;  // it came too late, or its stream has retired
    refused = TakeSlot();
    pending_.push_back({exchange});
    no_more_requests_ = !served_.method.streaming;
    cancelled = cancelled_;
  }
  if (cancelled) exchange->Cancel();
  BufferBytes bytes(read_buffer_);
  bool submit = false;
  if (refused) {
    services_.rejections.Count(*refused);
    exchange->Refuse(services_.gate.Refusal(*refused));
  } else {
    submit = exchange->Start(bytes);
  }
  read_buffer_.Clear();
  if (!submit || Submit(exchange)) Submitted();
}

void Call::OnWriteDone(bool ok) {
  services_.patience.End(wait_, Awaited::kAnswer);
  sending_ = nullptr;
  Step step;
  {
    MutexLock lock(&mu_);
    writing_ = false;
    cancelled_ = cancelled_ || !ok;
    step = NextStep();
  }
  Take(std::move(step));
}

void Call::OnCancel() {
  std::deque<Pending> pending;
  {
    MutexLock lock(&mu_);
    cancelled_ = true;
    pending = pending_;
  }
  for (const Pending& p : pending) p.exchange->Cancel();
  Step step;
  {
    MutexLock lock(&mu_);
    step = NextStep();
  }
  Take(std::move(step));
}

void Call::OnDone() {
  YieldToWorkers();
  services_.patience.End(wait_, Awaited::kAnswer);
  {
    MutexLock lock(&mu_);
    done_ = true;
  }
  if (code_unless_cancelled_) Ended(context_.IsCancelled() ? CancelledCode(arrival_) : *code_unless_cancelled_);
  if (served_.method.streaming) {
    services_.gate.LeaveStream(*load_);
  } else {
    services_.gate.Leave();
  }
  retirement_.Cancel();
  const std::shared_ptr<Call> last = std::move(held_by_grpc_);
}

void Call::Answered(Exchange& exchange) {
  Step step;
  {
    MutexLock lock(&mu_);
    for (Pending& p : pending_) {
      if (p.exchange.get() == &exchange) p.done = true;
    }
    step = NextStep();
  }
  Take(std::move(step));
}

void Call::Overdue(Awaited what) {
  if (what == Awaited::kAnswer) return AnswerOverdue();
  Step step;
  {
    MutexLock lock(&mu_);
    overdue_ = reading_ && pending_.empty();
    step = NextStep();
  }
  Take(std::move(step));
}

// gRPC drops what it could not send, and ends the call. Under the lock, since the context goes with OnDone().
void Call::AnswerOverdue() {
  MutexLock lock(&mu_);
  if (done_) return;
  services_.metrics.AnswerNotTaken();
  context_.TryCancel();
}

// For a request that has come. A stream's is refused in its place where there is no slot.
std::optional<Rejection> Call::TakeSlot() {
  if (!served_.method.streaming) return std::nullopt;
  if (services_.gate.closed()) return Rejection::kDraining;
  if (slot_) return std::nullopt;
  const std::optional<Rejection> refused = services_.gate.TakeSlot(*load_);
  slot_ = !refused;
  return refused;
}

// Requests without an answer.
size_t Call::Open() const {
  return static_cast<size_t>(std::count_if(pending_.begin(), pending_.end(), [](const Pending& p) { return !p.done; }));
}

// reading_ is up and stays up. True: the scheduler has it, or its refusal is the answer. False: it is held, until an
// answer of this stream makes room or the call is cancelled; a request that is alone is never held.
bool Call::Submit(const std::shared_ptr<Exchange>& exchange) {
  size_t open = 0;
  bool tried = false, final_try = false;
  do {
    MutexLock lock(&mu_);
    if (tried && !cancelled_ && Open() == open) {
      held_ = exchange;
      held_behind_ = open;
      return false;
    }
    open = Open();
    final_try = open == 1 || cancelled_;
    tried = true;
  } while (!exchange->Submit(final_try));
  return true;
}

void Call::Submitted() {
  Step step;
  {
    MutexLock lock(&mu_);
    reading_ = false;
    step = NextStep();
  }
  Take(std::move(step));
}

Call::Step Call::NextStep() {
  Step step;
  if (finished_) return step;
  step.cancelled = cancelled_;
  step.overdue = overdue_;
  if (held_ != nullptr && (cancelled_ || Open() < held_behind_)) step.submit = std::exchange(held_, nullptr);
  if (overdue_) {
    step.finish = true;
  } else if (cancelled_ || !served_.method.streaming) {
    step.finish = !reading_ && !writing_ && Open() == 0;
  } else {
    if (!writing_ && !pending_.empty() && pending_.front().done) {
      step.send = std::move(pending_.front().exchange);
      pending_.pop_front();
      writing_ = true;
    }
    const size_t unsent = pending_.size() + (writing_ ? 1 : 0);
    const bool room = unsent == 0 || (unsent < static_cast<size_t>(served_.window) && !services_.gate.crowded());
    step.read = !reading_ && !no_more_requests_ && !retiring_ && room;
    reading_ = reading_ || step.read;
    step.finish = no_more_requests_ && !reading_ && unsent == 0;
    // A request that is being read may never come.
    step.retired = retiring_ && !step.finish && unsent == 0;
    step.finish = step.finish || step.retired;
  }
  finished_ = step.finish;
  step.free_slot = slot_ && (step.finish || (served_.method.streaming && pending_.empty()));
  slot_ = slot_ && !step.free_slot;
  return step;
}

void Call::Take(Step step) {
  if (step.free_slot) services_.gate.FreeSlot(*load_);
  if (step.read) StartRead(&read_buffer_);
  if (step.send != nullptr) Send(std::move(step.send));
  if (step.submit != nullptr && Submit(step.submit)) Submitted();
  if (!step.finish) return;
  services_.patience.Begin(wait_, Awaited::kAnswer, Now());
  if (step.overdue) return FinishOverdue();
  if (step.cancelled) return FinishCancelled();
  if (!served_.method.streaming) return FinishUnary();
  if (step.retired) return FinishRetired();
  code_unless_cancelled_ = grpc::StatusCode::OK;
  Finish(grpc::Status::OK);
}

void Call::Send(std::shared_ptr<Exchange> exchange) {
  sending_ = std::move(exchange);
  absl::StatusOr<std::string>& reply = sending_->reply();
  write_buffer_ = ToBuffer(reply.ok() ? *std::move(reply) : served_.method.codec->EncodeError(reply.status()));
  services_.patience.Begin(wait_, Awaited::kAnswer, Now());
  StartWrite(&write_buffer_);
}

void Call::FinishUnary() {
  std::shared_ptr<Exchange> only;
  {
    MutexLock lock(&mu_);
    if (!pending_.empty()) only = pending_.front().exchange;
  }
  if (only == nullptr) {
    const absl::Status error = FieldError("request", "expected one message, got none", reason::kMalformedMessage);
    code_unless_cancelled_ = ToGrpcCode(error, served_.codes);
    return Finish(ToGrpc(error, served_.codes, context_));
  }
  absl::StatusOr<std::string>& reply = only->reply();
  Ended(ToGrpcCode(reply.status(), served_.codes));
  if (!reply.ok()) return Finish(ToGrpc(reply.status(), served_.codes, context_));
  write_buffer_ = ToBuffer(*std::move(reply));
  StartWriteAndFinish(&write_buffer_, grpc::WriteOptions(), grpc::Status::OK);
}

// The stream's connection is to be closed. What has been read is answered first.
void Call::Retire() {
  Step step;
  {
    MutexLock lock(&mu_);
    retiring_ = true;
    step = NextStep();
  }
  Take(std::move(step));
}

void Call::FinishRetired() {
  const absl::Status error = Error(absl::StatusCode::kUnavailable, reason::kConnectionAge,
                                   "the connection has reached its age (--max-connection-age): go on with the first "
                                   "request without an answer, on a new one");
  code_unless_cancelled_ = ToGrpcCode(error, served_.codes);
  Finish(ToGrpc(error, served_.codes, context_));
}

void Call::FinishOverdue() {
  services_.rejections.Count(Rejection::kMessageTime);
  const absl::Status error = services_.patience.MessageOverdue();
  Ended(ToGrpcCode(error, served_.codes));
  Finish(ToGrpc(error, served_.codes, context_));
}

// The client knows already.
void Call::FinishCancelled() {
  const grpc::StatusCode code = CancelledCode(arrival_);
  Ended(code);
  Finish(grpc::Status(code, ""));
}

void Call::Ended(int grpc_code) {
  served_.metrics.Ended(grpc_code, Now() - arrival_.at);
}

// The client saw its own deadline pass a little before ours would: gRPC rounds the time left up, by at most one
// hundredth, and the headers took a moment to travel.
grpc::StatusCode CancelledCode(const Arrival& arrival) {
  const Time now = Now();
  const bool late = arrival.deadline != Time::max() &&
                    arrival.deadline - now <= (arrival.deadline - arrival.at) / 50 + std::chrono::milliseconds(20);
  return late ? grpc::StatusCode::DEADLINE_EXCEEDED : grpc::StatusCode::CANCELLED;
}

}  // namespace resnetd::server
