// A single completion queue. In closed loop the thread that reads an answer sends the next call; in open loop a sender
// thread sleeps from one due time to the next and never looks at answers.
#include "cli/bench/load.h"

#include <sys/resource.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <thread>
#include <utility>

#include "base/time.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"

namespace resnetd::cli {
namespace {

// The clock is looked at so often even if no answer comes.
constexpr auto kTick = std::chrono::milliseconds(100);

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Run {
 public:
  Run(const Load& load, absl::Span<const std::shared_ptr<grpc::Channel>> channels)
      : load_(load), from_(load.warmup_seconds), to_(load.warmup_seconds + load.duration_seconds), ledger_(from_, to_) {
    for (const auto& channel : channels) stubs_.emplace_back(channel);
  }

  LoadResult Go(Progress& progress) {
    std::thread sender;
    if (load_.concurrency > 0) {
      for (int i = 0; i < load_.concurrency; ++i) Send(SinceStart());
      under_way_ = load_.concurrency;
    } else {
      sender = std::thread([this] { SendWhenDue(); });
    }
    ReadAnswers(progress);
    if (sender.joinable()) sender.join();
    const double cpu_end = cpu_end_.value_or(CpuSeconds());
    return {std::move(ledger_), cpu_end - cpu_start_.value_or(cpu_end)};
  }

 private:
  struct Call {
    CallRecord record;
    grpc::ClientContext context;
    grpc::ByteBuffer answer;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
  };

  double SinceStart() const { return Seconds(Now() - start_); }

  // In open loop only the sender thread calls this, in closed loop only the reader.
  void Send(double due) {
    auto call = std::make_unique<Call>();
    call->record.intended = due;
    call->context.set_deadline(std::chrono::system_clock::now() +
                               std::chrono::duration_cast<std::chrono::system_clock::duration>(
                                   std::chrono::duration<double>(load_.timeout_seconds)));
    const grpc::ByteBuffer& request = load_.requests[sent_ % load_.requests.size()];
    call->reader = stubs_[sent_ % stubs_.size()].PrepareUnaryCall(&call->context, load_.method, request, &queue_);
    ++sent_;
    call->record.sent = load_.concurrency > 0 ? due : SinceStart();
    call->reader->StartCall();
    Call* const tag = call.release();
    tag->reader->Finish(&tag->answer, &tag->status, tag);
  }

  void SendWhenDue() {
    Arrivals arrivals(load_.arrivals, load_.calls_per_second, load_.seed);
    for (double due = arrivals.Next(); due < to_; due = arrivals.Next()) {
      std::this_thread::sleep_until(start_ + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(due)));
      Send(due);
    }
    queue_.Shutdown();
  }

  void ReadAnswers(Progress& progress) {
    void* tag = nullptr;
    bool ok = false;
    for (;;) {
      const auto next = queue_.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + kTick);
      if (next == grpc::CompletionQueue::SHUTDOWN) return;
      const double now = SinceStart();
      MeasureCpu(now);
      progress.Update(now);
      if (next == grpc::CompletionQueue::TIMEOUT) continue;
      const std::unique_ptr<Call> call(static_cast<Call*>(tag));
      Record(*call, now);
      if (load_.concurrency == 0) continue;
      if (now < to_) {
        Send(now);
      } else if (--under_way_ == 0) {
        queue_.Shutdown();
      }
    }
  }

  void MeasureCpu(double now) {
    if (!cpu_start_ && now >= from_) cpu_start_ = CpuSeconds();
    if (!cpu_end_ && now >= to_) cpu_end_ = CpuSeconds();
  }

  void Record(Call& call, double now) {
    call.record.finished = now;
    call.record.code = call.status.error_code();
    if (call.status.ok() && !load_.read_answer(call.answer, call.record)) call.record.code = grpc::StatusCode::INTERNAL;
    if (call.record.code != grpc::StatusCode::OK) call.record.images_failed = load_.images_per_request;
    ledger_.Add(call.record);
  }

  const Load& load_;
  const double from_, to_;
  const Time start_ = Now();
  std::vector<grpc::GenericStub> stubs_;
  grpc::CompletionQueue queue_;
  size_t sent_ = 0;
  int under_way_ = 0;  // closed loop
  Ledger ledger_;
  std::optional<double> cpu_start_, cpu_end_;
};

}  // namespace

LoadResult RunLoad(const Load& load, absl::Span<const std::shared_ptr<grpc::Channel>> channels, Progress& progress) {
  return Run(load, channels).Go(progress);
}

}  // namespace resnetd::cli
