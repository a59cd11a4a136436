// Each event changes the state under the lock, takes the NextStep() that follows, and carries it out outside, as in
// call.cc. One event alone decides on a write or on the end, and gRPC does not end the call before that is done.
#include "server/edge/watch.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/time.h"
#include "server/edge/buffers.h"
#include "server/edge/error.h"
#include "server/edge/grpc_status.h"

namespace resnetd::server {
namespace {

class WatchCall final : public Reactor, public Waiter, public std::enable_shared_from_this<WatchCall> {
 public:
  WatchCall(grpc::CallbackServerContext& context, const ServedMethod& served, const Services& services,
            const Arrival& arrival, std::shared_ptr<ConnectionLoad> load)
      : context_(context),
        served_(served),
        services_(services),
        arrival_(arrival),
        load_(std::move(load)),
        wait_(*this, *load_) {}

  void Start() {
    held_by_grpc_ = shared_from_this();
    services_.patience.Begin(wait_, Awaited::kMessage, arrival_.at);
    StartRead(&read_buffer_);
  }

  void OnReadDone(bool ok) override {
    services_.patience.End(wait_, Awaited::kMessage);
    absl::StatusOr<std::unique_ptr<Watched>> watched = ok ? Parse() : NoMessage();
    Step step;
    {
      MutexLock lock(&mu_);
      reading_ = false;
      if (finished_) return;
      watched_ = std::move(watched);
      step = NextStep();
    }
    Take(std::move(step));
  }

  void OnWriteDone(bool ok) override {
    Step step;
    {
      MutexLock lock(&mu_);
      writing_ = false;
      cancelled_ = cancelled_ || !ok;
      step = NextStep();
    }
    Take(std::move(step));
  }

  void OnCancel() override {
    Step step;
    {
      MutexLock lock(&mu_);
      cancelled_ = true;
      step = NextStep();
    }
    Take(std::move(step));
  }

  std::shared_ptr<Waiter> Self() override { return weak_from_this().lock(); }
  // The request is all that it waits for.
  void Overdue(Awaited) override {
    Step step;
    {
      MutexLock lock(&mu_);
      if (!reading_ || finished_) return;
      finished_ = true;
      step.finish = services_.patience.MessageOverdue();
    }
    services_.rejections.Count(Rejection::kMessageTime);
    Take(std::move(step));
  }

  void OnDone() override {
    load_->health.fetch_sub(1);
    const std::shared_ptr<WatchCall> last = std::move(held_by_grpc_);
  }

 private:
  struct Step {
    std::optional<std::string> send;
    std::optional<absl::Status> finish;
  };

  absl::StatusOr<std::unique_ptr<Watched>> Parse() {
    BufferBytes bytes(read_buffer_);
    auto watched = served_.method.watch->Watch(bytes, [weak = weak_from_this()] {
      if (const auto call = weak.lock()) call->Changed();
    });
    read_buffer_.Clear();
    return watched;
  }

  absl::Status NoMessage() const {
    if (context_.IsCancelled()) return Error(absl::StatusCode::kCancelled, reason::kCancelled, "");
    return FieldError("request", "expected one message, got none", reason::kMalformedMessage);
  }

  void Changed() {
    Step step;
    {
      MutexLock lock(&mu_);
      step = NextStep();
    }
    Take(std::move(step));
  }

  Step NextStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    Step step;
    if (finished_ || reading_ || writing_) return step;
    if (cancelled_) {
      step.finish = absl::CancelledError();
    } else if (!watched_.ok()) {
      step.finish = watched_.status();
    } else if (absl::StatusOr<std::string> current = (*watched_)->Current(); !current.ok()) {
      step.finish = current.status();
    } else if (sent_ != *current) {
      step.send = sent_ = *std::move(current);
      if (!served_.method.streaming) step.finish = absl::OkStatus();
      writing_ = !step.finish;
    } else if (absl::Status end = (*watched_)->End(); !end.ok()) {
      step.finish = std::move(end);
    }
    finished_ = step.finish.has_value();
    return step;
  }

  void Take(Step step) {
    if (step.finish) {
      const bool by_client = absl::IsCancelled(*step.finish);
      served_.metrics.Ended(by_client ? CancelledCode(arrival_) : ToGrpcCode(*step.finish, served_.codes),
                            Now() - arrival_.at);
    }
    if (step.send) {
      write_buffer_ = ToBuffer(*std::move(step.send));
      if (step.finish) return StartWriteAndFinish(&write_buffer_, grpc::WriteOptions(), grpc::Status::OK);
      StartWrite(&write_buffer_);
    } else if (step.finish) {
      Finish(ToGrpc(*step.finish, served_.codes, context_));
    }
  }

  grpc::CallbackServerContext& context_;
  const ServedMethod served_;
  const Services services_;
  const Arrival arrival_;
  const std::shared_ptr<ConnectionLoad> load_;
  Patience::Wait wait_;
  grpc::ByteBuffer read_buffer_, write_buffer_;
  std::shared_ptr<WatchCall> held_by_grpc_;  // this, until OnDone()

  Mutex mu_;
  absl::StatusOr<std::unique_ptr<Watched>> watched_ ABSL_GUARDED_BY(mu_);
  std::optional<std::string> sent_ ABSL_GUARDED_BY(mu_);  // the last answer
  bool reading_ ABSL_GUARDED_BY(mu_) = true;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace

Reactor* NewWatchCall(grpc::CallbackServerContext& context, const ServedMethod& served, const Services& services,
                      const Arrival& arrival, std::shared_ptr<ConnectionLoad> load) {
  const auto call = std::make_shared<WatchCall>(context, served, services, arrival, std::move(load));
  call->Start();
  return call.get();
}

}  // namespace resnetd::server
