#ifndef RESNETD_SERVER_EDGE_EXCHANGE_H_
#define RESNETD_SERVER_EDGE_EXCHANGE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/time.h"
#include "server/edge/codec.h"
#include "server/edge/gate.h"
#include "server/edge/patience.h"
#include "server/observe/metrics.h"
#include "server/scheduling/scheduler.h"

namespace resnetd::server {

// The parts of the server that a call needs; all outlive it.
struct Services {
  Gate& gate;
  scheduling::Scheduler& scheduler;
  Metrics& metrics;
  const RejectionCounters& rejections;
  size_t max_message_bytes;
  Patience& patience;
};

// A call as its headers announce it.
struct Arrival {
  Time at;
  Time deadline = Time::max();  // of the client; max(): none
  PrincipalId principal = PrincipalId::kAnonymous;
  bool stale = false;          // it came in a lull of its connection, see refusals.h
  Time retires = Time::max();  // a stream ends then, as its connection is to
};

class Exchange;

// Whom an exchange tells that it is done: its call.
class ExchangeOwner {
 public:
  virtual ~ExchangeOwner() = default;
  // reply() is there. Called once, by any thread; the exchange does nothing after it.
  virtual void Answered(Exchange& exchange) = 0;
};

// One request on its way to its answer: decoded, submitted, its images collected, encoded by whoever finishes the last.
// A unary call has one, a stream several. Held by shared_ptr: by the call, until gRPC has sent the answer, and by each
// image that the scheduler holds. Its answer holds its bytes at the gate for as long.
// The exchange in turn holds its owner until it has told it, so that the call lives for as long as anybody may still
// report to it.
//
//   if (Start(bytes)) while (!Submit(final_try)) ...;      Cancel() at any time
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  // `arrival`: of the call or, in a stream, of the request. Without a deadline the model's default counts from there.
  Exchange(const Services& services, const Codec& codec, const Arrival& arrival, std::shared_ptr<ExchangeOwner> owner);
  ~Exchange();

  // Decodes and checks; `bytes` are not needed afterwards. True: to be submitted. False: done, since that failed or
  // nothing needs computing.
  bool Start(RequestBytes& bytes);
  // Done with a refusal, instead of Start().
  void Refuse(absl::Status why) { Complete(std::move(why)); }
  // Offers the images to the scheduler. False, and to be called again, only if its queue is full and `final_try` is not
  // set; with it, a full queue is the answer.
  bool Submit(bool final_try);
  // The client is gone: ends what still waits.
  void Cancel();

  // Once done: the serialised answer, or why the request failed as a whole.
  absl::StatusOr<std::string>& reply() { return reply_; }

 private:
  class QueuedImage;

  bool Prepare(ImageRequest request);
  // Counts the refusal of `group`, too.
  absl::Status RefusalOf(const scheduling::Verdict& verdict, const std::vector<scheduling::Submission>& group) const;
  void Computed(size_t image, Outputs outputs, const Execution& execution);
  bool Sound(Outputs outputs) const;  // all that is wanted is finite
  void Failed(size_t image, absl::Status status, const Execution& execution);
  void EndOne();
  void ComparePrediction() const;  // with what the request took, if all of its images were computed
  absl::StatusOr<std::string> Answer() const;
  bool Complete(absl::StatusOr<std::string> reply);  // false, for Start() to return

  const Services services_;
  const Codec& codec_;
  const Arrival arrival_;
  Time deadline_;                         // the client's or the model's
  std::shared_ptr<ExchangeOwner> owner_;  // null once told

  size_t bytes_ = 0;                    // held at the gate until the answer is there
  std::optional<size_t> answer_bytes_;  // held from then on
  ImageRequest request_;
  OutputSet wanted_;
  std::vector<ImageAnswer> answers_;  // each written by whoever finishes its image
  std::vector<scheduling::Submission> group_;
  Time admitted_at_;
  Duration predicted_completion_{};
  std::atomic<size_t> open_{0};  // images without an answer, and one for Submit() itself
  absl::StatusOr<std::string> reply_;

  Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<scheduling::ItemId> items_ ABSL_GUARDED_BY(mu_);
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_EXCHANGE_H_
