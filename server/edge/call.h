#ifndef RESNETD_SERVER_EDGE_CALL_H_
#define RESNETD_SERVER_EDGE_CALL_H_

#include <grpcpp/alarm.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "base/time.h"
#include "server/edge/codec.h"
#include "server/edge/exchange.h"
#include "server/edge/patience.h"
#include "server/edge/refusals.h"
#include "server/edge/shares.h"
#include "server/observe/metrics.h"

namespace resnetd::server {

// A method as the edge serves it; what it refers to outlives every call.
struct ServedMethod {
  const Method& method;
  const StatusCodes& codes;  // of its protocol
  MethodMetrics& metrics;
  int window = 1;  // requests read and not yet answered and sent
};

// A call that passed the gate: reads requests, sends their answers in order, finishes and leaves the gate. Between its
// requests a stream holds no slot there. To gRPC every method is a stream of bytes both ways, so a unary call is a
// stream of one, and a handler sees a call at its headers.
//
// It is held by gRPC until OnDone() and by each exchange that has not reported yet, and goes with the last of them.
class Call final : public Reactor, public ExchangeOwner, public Waiter, public std::enable_shared_from_this<Call> {
 public:
  // For gRPC, which is the first to hold it.
  static Reactor* New(grpc::CallbackServerContext& context, const ServedMethod& served, const Services& services,
                      const Arrival& arrival, std::shared_ptr<ConnectionLoad> load);
  // For New().
  Call(grpc::CallbackServerContext& context, const ServedMethod& served, const Services& services,
       const Arrival& arrival, std::shared_ptr<ConnectionLoad> load);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void Answered(Exchange& exchange) override;
  std::shared_ptr<Waiter> Self() override { return weak_from_this().lock(); }
  void Overdue(Awaited what) override;

 private:
  // A request on its way and whether its answer is there.
  struct Pending {
    std::shared_ptr<Exchange> exchange;
    bool done = false;
  };
  // The next step, decided under the lock and done outside it.
  struct Step {
    bool read = false, finish = false, cancelled = false, retired = false, overdue = false, free_slot = false;
    std::shared_ptr<Exchange> submit, send;
  };

  Step NextStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<Rejection> TakeSlot() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  size_t Open() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Take(Step step);
  void Retire();
  bool Submit(const std::shared_ptr<Exchange>& exchange);
  void Submitted();
  void Send(std::shared_ptr<Exchange> exchange);
  void FinishUnary();
  void FinishRetired();
  void FinishCancelled();
  void FinishOverdue();
  void AnswerOverdue();
  void Ended(int grpc_code);

  grpc::CallbackServerContext& context_;
  const ServedMethod served_;
  const Services services_;
  const Arrival arrival_;
  const std::shared_ptr<ConnectionLoad> load_;  // of its connection
  Patience::Wait wait_;                         // for a unary call's request, and for each answer to be taken
  grpc::ByteBuffer read_buffer_, write_buffer_;
  std::shared_ptr<Exchange> sending_;  // whose answer is in write_buffer_, of a stream
  // Set where the end of the requests may have been the end of the client, which OnDone() knows.
  std::optional<grpc::StatusCode> code_unless_cancelled_;
  std::shared_ptr<Call> held_by_grpc_;  // this, from New() to OnDone()
  grpc::Alarm retirement_;

  Mutex mu_;
  std::deque<Pending> pending_ ABSL_GUARDED_BY(mu_);     // in order of arrival, unsent
  std::shared_ptr<Exchange> held_ ABSL_GUARDED_BY(mu_);  // the last of them, if the queue was too full to take it
  size_t held_behind_ ABSL_GUARDED_BY(mu_) = 0;          // Open() then
  bool slot_ ABSL_GUARDED_BY(mu_);                       // at the gate
  bool reading_ ABSL_GUARDED_BY(mu_) = true;             // from StartRead() until its request is submitted
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool no_more_requests_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool retiring_ ABSL_GUARDED_BY(mu_) = false;
  bool overdue_ ABSL_GUARDED_BY(mu_) = false;  // the request did not come in time
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;  // by OnDone()
};

// The code that the client of a call that ends now by its client's wish has seen: CANCELLED, or DEADLINE_EXCEEDED.
grpc::StatusCode CancelledCode(const Arrival& arrival);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_CALL_H_
