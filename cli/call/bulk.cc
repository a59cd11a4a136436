// One thread reads files, sends and settles; gRPC's threads only leave what has ended in a mailbox.
//
//   files --Fill()--> jobs, in order --SendDue()--> under way --Settle()--> done --Deliver()--> outcomes, in order
//                       ^                                        |
//                       +---- Retry(), perhaps after Halve() ----+
//
// A job holds the bytes of its images until each has its outcome, wherever that takes them: what is under way has them
// in its request.
#include "cli/call/bulk.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <list>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/echo.h"
#include "base/mutex.h"
#include "base/time.h"
#include "cli/call/client.h"
#include "cli/inputs.h"
#include "cli/print/progress.h"

namespace resnetd::cli {
namespace {

// Some photos are large: a request is closed before it outgrows what servers accept.
constexpr size_t kRequestBytes = size_t{8} << 20;
// Jobs that may be there for each that may be under way. If the first is refused again and again, others go on.
constexpr size_t kJobsAhead = 4;
constexpr auto kTick = std::chrono::milliseconds(100);  // the progress bar's

// An image's way: bytes until it is done, then a result of a call or an error.
struct Slot {
  bool done = false;
  std::string bytes;
  std::shared_ptr<BulkCall> call;
  int result = 0;
  CallError error;
};

struct Job {
  size_t begin = 0;         // of the files
  std::vector<Slot> slots;  // one a file
  int tries = 0;            // that failed in a row
  Time due;                 // when to send it
  std::shared_ptr<BulkCall> call;
  std::vector<size_t> sent;  // the slots whose images the call has
  grpc::Status status;       // of the call, once it is in the mailbox

  bool under_way() const { return call != nullptr; }
  std::vector<size_t> Open() const {
    std::vector<size_t> open;
    for (size_t i = 0; i < slots.size(); ++i) {
      if (!slots[i].done) open.push_back(i);
    }
    return open;
  }
  bool done() const {
    return std::all_of(slots.begin(), slots.end(), [](const Slot& slot) { return slot.done; });
  }
};

// Held by the calls too: the last of them may still be leaving when the run is over.
class Mailbox {
 public:
  void Put(Job* job, grpc::Status status) {
    MutexLock lock(&mu_);
    job->status = std::move(status);
    ended_.push_back(job);
    arrived_.Signal();
  }
  // Returns the jobs that have ended; waits for one until then.
  std::vector<Job*> Take(Time until) {
    MutexLock lock(&mu_);
    while (ended_.empty() && Now() < until) arrived_.WaitUntil(&mu_, until);
    return std::exchange(ended_, {});
  }

 private:
  Mutex mu_;
  CondVar arrived_;
  std::vector<Job*> ended_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

class BulkRun::Impl {
 public:
  Impl(const Context& context, const BulkOptions& options, Patience& patience, const std::vector<std::string>& files)
      : context_(context),
        most_under_way_(static_cast<size_t>(options.requests_in_flight)),
        patience_(patience),
        files_(files),
        progress_(*context.err, context.err_is_terminal, static_cast<double>(files.size()), "images"),
        images_per_request_(static_cast<size_t>(options.images_per_request)) {}

  std::optional<Ended> Run(const NewCall& new_call, const OnImage& on_image) {
    while (!ended_ && handed_over_ < files_.size()) {
      Fill();
      SendDue(new_call);
      for (Job* job : mailbox_->Take(WakeTime())) Settle(*job);
      Deliver(on_image);
      progress_.Update(static_cast<double>(handed_over_));
    }
    CancelAll();
    return ended_;
  }

 private:
  void Fill();
  Job Read();
  void SendDue(const NewCall& new_call);
  void Send(Job& job, const NewCall& new_call);
  Time WakeTime() const;
  void Settle(Job& job);
  void SettleImages(Job& job, const std::shared_ptr<BulkCall>& call);
  void SettleFailure(Job& job, BulkCall& call, const Failure& failure);
  void Learn(const CallError& error, size_t images, size_t bytes);
  Job& Halve(Job& job);
  void Retry(Job& job, const Failure& failure);
  void End(const CallError& error, std::string why) {
    if (!ended_) ended_ = Ended{error, std::move(why), 0};
    ended_->handed_over = handed_over_;
  }
  void Deliver(const OnImage& on_image);
  void CancelAll();
  size_t unanswered() const {
    return static_cast<size_t>(std::count_if(jobs_.begin(), jobs_.end(), [](const Job& j) { return !j.done(); }));
  }

  const Context& context_;
  const size_t most_under_way_;
  Patience& patience_;
  const std::vector<std::string>& files_;
  Progress progress_;
  const std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();

  // The server has been found to take so many.
  size_t images_per_request_;
  size_t bytes_per_request_ = kRequestBytes;
  std::string source_;  // of the first result

  std::list<Job> jobs_;  // in the files' order; they stay where they are
  size_t under_way_ = 0;
  size_t next_ = 0;  // of the files
  size_t handed_over_ = 0;
  std::optional<Ended> ended_;
};

void BulkRun::Impl::Fill() {
  while (next_ < files_.size() && unanswered() < most_under_way_ && jobs_.size() < most_under_way_ * kJobsAhead) {
    jobs_.push_back(Read());
    next_ += jobs_.back().slots.size();
  }
}

Job BulkRun::Impl::Read() {
  Job job;
  job.begin = next_;
  size_t bytes = 0;
  for (size_t i = next_; i < files_.size() && job.slots.size() < images_per_request_ && bytes < bytes_per_request_;
       ++i) {
    absl::StatusOr<std::string> file = ReadListedImage(files_[i]);
    Slot& slot = job.slots.emplace_back();
    if (file.ok()) {
      bytes += file->size();
      slot.bytes = *std::move(file);
    } else {
      slot.done = true;
      slot.error = ErrorFrom(file.status());
    }
  }
  return job;
}

void BulkRun::Impl::SendDue(const NewCall& new_call) {
  const Time now = Now();
  for (auto job = jobs_.begin(); job != jobs_.end() && under_way_ < most_under_way_; ++job) {
    if (!job->under_way() && job->due <= now && !job->done()) Send(*job, new_call);
  }
}

void BulkRun::Impl::Send(Job& job, const NewCall& new_call) {
  job.call = new_call();
  job.sent = job.Open();
  for (const size_t i : job.sent) job.call->AddImage(std::move(job.slots[i].bytes));
  patience_.SetDeadlineOf(job.call->context);
  ++under_way_;
  job.call->Send([mailbox = mailbox_, job = &job](grpc::Status status) { mailbox->Put(job, std::move(status)); });
}

Time BulkRun::Impl::WakeTime() const {
  const Time now = Now();
  if (!jobs_.empty() && jobs_.front().done()) return now;
  Time wake = now + kTick;
  if (under_way_ == most_under_way_) return wake;
  for (const Job& job : jobs_) {
    if (!job.under_way() && !job.done()) wake = std::min(wake, job.due);
  }
  return wake;
}

void BulkRun::Impl::Settle(Job& job) {
  --under_way_;
  const std::shared_ptr<BulkCall> call = std::exchange(job.call, nullptr);
  if (!job.status.ok()) {
    SettleFailure(job, *call, FailureOf(job.status, call->context));
  } else if (static_cast<size_t>(call->results()) != job.sent.size()) {
    End(ErrorFrom(absl::InternalError(
            absl::StrCat("expected ", job.sent.size(), " results, the server sent ", call->results()))),
        "");
  } else {
    SettleImages(job, call);
  }
}

void BulkRun::Impl::SettleImages(Job& job, const std::shared_ptr<BulkCall>& call) {
  std::optional<Failure> passing;
  for (size_t k = 0; k < job.sent.size(); ++k) {
    const int i = static_cast<int>(k);
    Slot& slot = job.slots[job.sent[k]];
    if (call->status(i).code() == 0) {
      const std::string source = call->Source(i);
      if (source_.empty()) source_ = source;
      if (source != source_) {
        const std::string text =
            absl::StrCat("the model changed while it was asked: first it was ", source_, ", then ", source);
        return End(ErrorFrom(absl::FailedPreconditionError(text)), "");
      }
      slot.call = call;
      slot.result = i;
      slot.done = true;
    } else if (CallError error = ErrorFrom(call->status(i)); RemedyOfImage(error) == Remedy::kRetry) {
      passing = Failure{std::move(error), std::nullopt};
    } else {
      slot.error = OfImage(std::move(error));
      slot.done = true;
    }
    std::string bytes = call->TakeImage(i);
    if (!slot.done) slot.bytes = std::move(bytes);
  }
  if (job.Open().size() < job.sent.size()) {
    patience_.Answered();
    job.tries = 0;
  }
  if (passing) Retry(job, *passing);
}

void BulkRun::Impl::SettleFailure(Job& job, BulkCall& call, const Failure& failure) {
  size_t bytes = 0;
  for (size_t k = 0; k < job.sent.size(); ++k) {
    Slot& slot = job.slots[job.sent[k]];
    slot.bytes = call.TakeImage(static_cast<int>(k));
    bytes += slot.bytes.size();
  }
  switch (RemedyOf(failure.error, static_cast<int>(job.sent.size()))) {
    case Remedy::kRetry:
      return Retry(job, failure);
    case Remedy::kSplitLater: {
      Job& second = Halve(job);
      Retry(job, failure);
      return Retry(second, failure);
    }
    case Remedy::kSplit:
      Learn(failure.error, job.sent.size(), bytes);
      Halve(job);
      return;
    case Remedy::kImage: {
      patience_.Answered();
      Slot& slot = job.slots[job.sent.front()];
      slot.bytes.clear();
      slot.error = OfImage(failure.error);
      slot.done = true;
      return;
    }
    case Remedy::kGiveUp:
      return End(failure.error, "");
  }
}

// The next requests are to be of a size that the server takes.
void BulkRun::Impl::Learn(const CallError& error, size_t images, size_t bytes) {
  if (error.code == grpc::StatusCode::RESOURCE_EXHAUSTED) {
    bytes_per_request_ = std::min(bytes_per_request_, std::max<size_t>(bytes / 2, 1));
  } else if (error.code == grpc::StatusCode::INVALID_ARGUMENT) {
    images_per_request_ = std::min(images_per_request_, std::max<size_t>(images / 2, 1));
  }
}

// Leaves the job the first half of its open images; the other half is a new job behind it. Both are due.
Job& BulkRun::Impl::Halve(Job& job) {
  const auto middle = static_cast<std::ptrdiff_t>(job.sent[job.sent.size() / 2]);
  const auto place = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& j) { return &j == &job; });
  Job second;
  second.begin = job.begin + static_cast<size_t>(middle);
  second.tries = job.tries;
  second.slots.assign(std::make_move_iterator(job.slots.begin() + middle), std::make_move_iterator(job.slots.end()));
  job.slots.erase(job.slots.begin() + middle, job.slots.end());
  return *jobs_.insert(std::next(place), std::move(second));
}

void BulkRun::Impl::Retry(Job& job, const Failure& failure) {
  const std::optional<Time> next = patience_.NextTry(failure, job.tries++);
  if (!next) {
    End(failure.error, patience_.why());
    ended_->unreachable = !patience_.heard() && failure.error.code == grpc::StatusCode::UNAVAILABLE;
    return;
  }
  job.due = *next;
  if (!patience_.NoteIsDue()) return;
  progress_.Wipe();
  *context_.err << OneLineOfCall(context_, failure.error) << "; trying again\n" << std::flush;
}

void BulkRun::Impl::Deliver(const OnImage& on_image) {
  while (!jobs_.empty() && jobs_.front().done()) {
    Job& job = jobs_.front();
    for (size_t i = 0; i < job.slots.size(); ++i) {
      const Slot& slot = job.slots[i];
      const CallError* error = slot.call == nullptr ? &slot.error : nullptr;
      if (error != nullptr) progress_.Wipe();
      const bool go_on = on_image(job.begin + i, slot.call.get(), slot.result, error);
      ++handed_over_;
      if (!go_on) return End(slot.error, "");
    }
    jobs_.pop_front();
  }
  // Answers ahead of an end are handed over as well.
  if (ended_) ended_->handed_over = handed_over_;
}

void BulkRun::Impl::CancelAll() {
  for (Job& job : jobs_) {
    if (job.under_way()) job.call->context.TryCancel();
  }
  while (under_way_ > 0) under_way_ -= mailbox_->Take(Now() + kTick).size();
}

BulkRun::BulkRun(const Context& context, const BulkOptions& options, Patience& patience,
                 const std::vector<std::string>& files)
    : impl_(std::make_unique<Impl>(context, options, patience, files)) {}
BulkRun::~BulkRun() = default;

std::optional<Ended> BulkRun::Run(const NewCall& new_call, const OnImage& on_image) {
  return impl_->Run(new_call, on_image);
}

void AddBulkOptions(CLI::App& app, BulkOptions& options) {
  constexpr double kDay = 86400;
  app.add_option("--images-per-request", options.images_per_request,
                 "Images of one call, fewer where the server says so")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  app.add_option("--requests-in-flight", options.requests_in_flight, "Calls under way at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  app.add_option("--deadline", options.deadline_seconds, "Seconds the whole run may take; 0: any time")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 365 * kDay));
  app.add_option("--patience", options.patience_seconds, "Seconds without an answer until a server counts as gone")
      ->capture_default_str()
      ->check(CLI::Range(0.0, kDay));
}

std::string CheckJsonLines(const Context& context, bool json_lines) {
  return json_lines && context.json ? "--jsonl: expected without --json, which is one value of all images" : "";
}

void TellFailed(const Context& context, size_t failed, size_t images) {
  if (failed > 0 && images > 1) *context.err << failed << " of " << images << " images failed\n";
}

Patience::Limits LimitsOf(const Context& context, const BulkOptions& options) {
  return {context.timeout_seconds, options.deadline_seconds, options.patience_seconds};
}

std::string Explain(const Context& context, const Ended& ended, size_t images) {
  if (ended.unreachable) return ExplainCall(context, ended.error);
  std::string text =
      absl::StrCat(Echo(context.server), ": ended with ", ended.handed_over, " of ", images, " images done");
  if (!ended.why.empty()) absl::StrAppend(&text, ": ", ended.why, "; the last error");
  return absl::StrCat(text, ": ", Explain(ended.error));
}

}  // namespace resnetd::cli
