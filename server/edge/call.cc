// One state machine for unary calls and streams. Reactions come from gRPC's threads, ends of exchanges from workers,
// any of them at once. Each changes the state under the lock, in the same critical section takes the NextStep() that
// follows from it, and carries it out outside:
//
//   read -> exchange Start() -> Submit() --+--> queue full: held until an earlier exchange of this stream is done
//                                          +--> answered; in order: write (unary: write and finish)
//
// Finish() is decided once, only when nothing is being read or written and every exchange is answered, and is the last
// that gRPC hears of the call. OnDone() may follow on another thread at once, while others are still between the lock
// and the end of their (empty) step. The call outlives them: whoever comes from gRPC does so within a reaction, and
// gRPC calls OnDone() after all others; whoever comes from a worker is an exchange, which holds the call until it has
// reported. After OnDone() nobody touches what is gRPC's, `context_` and the like: it belongs to steps that are not
// empty, and with Finish() there are none left.
#include "server/edge/call.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/time.h"
#include "server/edge/error.h"
#include "server/edge/grpc_status.h"

namespace resnetd::server {
namespace {

class BufferBytes final : public RequestBytes {
 public:
  explicit BufferBytes(grpc::ByteBuffer& buffer) : buffer_(buffer) {}
  size_t size() const override { return buffer_.Length(); }
  std::unique_ptr<google::protobuf::io::ZeroCopyInputStream> Open() override {
    return std::make_unique<grpc::ProtoBufferReader>(&buffer_);
  }

 private:
  grpc::ByteBuffer& buffer_;
};

// The string moves into the buffer; nothing is copied.
grpc::ByteBuffer ToBuffer(std::string message) {
  auto* owned = new std::string(std::move(message));
  const grpc::Slice slice(
      owned->data(), owned->size(), [](void* p) { delete static_cast<std::string*>(p); }, owned);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

Call::Call(grpc::CallbackServerContext& context, const ServedMethod& served, const Services& services,
           const Arrival& arrival)
    : context_(context), served_(served), services_(services), arrival_(arrival) {}

Reactor* Call::New(grpc::CallbackServerContext& context, const ServedMethod& served, const Services& services,
                   const Arrival& arrival) {
  const auto call = std::make_shared<Call>(context, served, services, arrival);
  call->held_by_grpc_ = call;
  call->StartRead(&call->read_buffer_);
  return call.get();
}

void Call::OnReadDone(bool ok) {
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
  {
    MutexLock lock(&mu_);
    pending_.push_back({exchange});
    no_more_requests_ = !served_.method.streaming;
    cancelled = cancelled_;
  }
  if (cancelled) exchange->Cancel();
  BufferBytes bytes(read_buffer_);
  bool submit = false;
  if (served_.method.streaming && services_.gate.closed()) {
    services_.rejections.Count(Rejection::kDraining);
    exchange->Refuse(services_.gate.Refusal(Rejection::kDraining));
  } else {
    submit = exchange->Start(bytes);
  }
  read_buffer_.Clear();
  if (!submit || Submit(exchange)) Submitted();
}

void Call::OnWriteDone(bool ok) {
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
  if (code_unless_cancelled_) Ended(context_.IsCancelled() ? CancelledCode() : *code_unless_cancelled_);
  services_.gate.Leave();
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
  if (held_ != nullptr && (cancelled_ || Open() < held_behind_)) step.submit = std::exchange(held_, nullptr);
  if (cancelled_ || !served_.method.streaming) {
    step.finish = !reading_ && !writing_ && Open() == 0;
  } else {
    if (!writing_ && !pending_.empty() && pending_.front().done) {
      step.send = std::move(pending_.front().exchange);
      pending_.pop_front();
      writing_ = true;
    }
    const size_t unsent = pending_.size() + (writing_ ? 1 : 0);
    const bool room = unsent == 0 || (unsent < static_cast<size_t>(served_.window) && !services_.gate.crowded());
    step.read = !reading_ && !no_more_requests_ && room;
    reading_ = reading_ || step.read;
    step.finish = no_more_requests_ && !reading_ && unsent == 0;
  }
  finished_ = step.finish;
  return step;
}

void Call::Take(Step step) {
  if (step.read) StartRead(&read_buffer_);
  if (step.send != nullptr) Send(std::move(step.send));
  if (step.submit != nullptr && Submit(step.submit)) Submitted();
  if (!step.finish) return;
  services_.gate.FreeSlot();
  if (step.cancelled) return FinishCancelled();
  if (!served_.method.streaming) return FinishUnary();
  code_unless_cancelled_ = grpc::StatusCode::OK;
  Finish(grpc::Status::OK);
}

void Call::Send(std::shared_ptr<Exchange> exchange) {
  sending_ = std::move(exchange);
  absl::StatusOr<std::string>& reply = sending_->reply();
  write_buffer_ = ToBuffer(reply.ok() ? *std::move(reply) : served_.method.codec->EncodeError(reply.status()));
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

// The client knows already.
void Call::FinishCancelled() {
  const grpc::StatusCode code = CancelledCode();
  Ended(code);
  Finish(grpc::Status(code, ""));
}

// The client saw its own deadline pass a little before ours would: gRPC rounds the time left up, by at most one
// hundredth, and the headers took a moment to travel.
grpc::StatusCode Call::CancelledCode() const {
  const Time now = Now();
  const bool late = arrival_.deadline != Time::max() &&
                    arrival_.deadline - now <= (arrival_.deadline - arrival_.at) / 50 + std::chrono::milliseconds(20);
  return late ? grpc::StatusCode::DEADLINE_EXCEEDED : grpc::StatusCode::CANCELLED;
}

void Call::Ended(int grpc_code) {
  served_.metrics.Ended(grpc_code, Now() - arrival_.at);
}

}  // namespace resnetd::server
