#ifndef RESNETD_SERVER_EDGE_REFUSALS_H_
#define RESNETD_SERVER_EDGE_REFUSALS_H_

#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "base/time.h"
#include "server/edge/codec.h"
#include "server/edge/exchange.h"
#include "server/edge/lulls.h"
#include "server/edge/pace.h"
#include "server/net/connections.h"

namespace resnetd::server {

using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

// Ends a call at its headers, at once; nothing is read.
Reactor* NewRefusedCall(grpc::CallbackServerContext& context, const absl::Status& status, const StatusCodes& codes);

// Lets the workers finish their slice before this thread, one of gRPC's, gets the core that it woke up for. Calls that
// arrive meanwhile are then handled together, where each would have stopped a worker. Cheap but for a thread's first.
void YieldToWorkers();

// Refuses calls at their headers that the workers have no time to compute. While the workers are saturated, refusals go
// out at a pace that leaves them the processor, and calls beyond it are held. A held call costs a few hundred bytes and
// no time, has no slot at the gate, and keeps its HTTP/2 stream: a client that may have only so many open sends no
// other call meanwhile. A held call is refused in its turn, first those with the least time left; when its longest time
// is over; or as soon as a worker is idle. It goes when it is cancelled. Where many are held, connections have lulls.
// Thread-safe.
class Refusals {
 public:
  // Any thread calls these; none may block.
  struct Surroundings {
    // Says whether every worker is busy.
    std::function<bool()> saturated;
    // Finds a client's connection by what gRPC calls it. Null: it may have no lull.
    std::function<std::shared_ptr<Connection>(const std::string& peer)> connection;
    // Hears of every lull.
    std::function<void()> paused;
  };
  Refusals(const RefusalPace& pace, Surroundings around);
  // Requires that no call is held any more.
  ~Refusals();

  // Returns the deadline less what the call may have waited before its headers were seen, and marks a stale arrival.
  // Call it once for each call.
  Time DeadlineOf(const grpc::CallbackServerContext& context, Arrival& arrival);
  // Returns what gRPC, which holds the call, is to have for it.
  Reactor* Refuse(grpc::CallbackServerContext& context, const Arrival& arrival, const absl::Status& status,
                  const StatusCodes& codes);
  // Refuses all calls that are held, and holds none from now on.
  void Release();
  size_t held() const;

 private:
  class HeldCall;
  using Line = std::multimap<Time, HeldCall*>;  // by the end of their longest time

  void Work();
  bool Remove(HeldCall& call);
  HeldCall& TakeOut(Line::iterator place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void BeginLull(const std::shared_ptr<Connection>& connection, Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool AtRest() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return line_.empty() && lulls_.empty(); }

  const RefusalPace limits_;
  const Surroundings around_;

  mutable Mutex mu_;
  CondVar changed_;
  Pace pace_ ABSL_GUARDED_BY(mu_);
  Line line_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<const Connection*, int> held_of_ ABSL_GUARDED_BY(mu_);
  Lulls lulls_ ABSL_GUARDED_BY(mu_);
  bool released_ ABSL_GUARDED_BY(mu_) = false, stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_REFUSALS_H_
