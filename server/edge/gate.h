#ifndef RESNETD_SERVER_EDGE_GATE_H_
#define RESNETD_SERVER_EDGE_GATE_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/enum_table.h"
#include "server/edge/shares.h"
#include "server/observe/metrics.h"

namespace resnetd::server {

// Why a request was refused before anything was computed.
enum class Rejection : uint8_t {
  kQueueTime,
  kQueueBytes,
  kDeadline,
  kCallsInFlight,
  kConnectionShare,
  kConnectionCalls,
  kBytesInFlight,
  kMessageSize,
  kMessageTime,
  kRequestSize,
  kDraining,
  kUnauthenticated
};
absl::string_view RejectionName(Rejection reason);  // "queue_time", ...

// The limit that a request was refused by, for programs.
struct RefusedBy {
  const char* name;  // "limit_ms", "limit_bytes", "limit_calls": the key of ErrorInfo.metadata
  int64_t limit;
};

// RESOURCE_EXHAUSTED, UNAVAILABLE while draining, or DEADLINE_EXCEEDED for kMessageTime, with the rejection's name in
// capitals as the reason: "QUEUE_TIME"; a share is one of the calls in flight, and has their reason. With a
// `predicted_wait`, the number as metadata "predicted_wait_ms", and a time to come back: Spread() of it.
absl::Status Refused(Rejection rejection, absl::string_view message, std::optional<RefusedBy> by = {},
                     std::optional<std::chrono::milliseconds> predicted_wait = {});

// From `wait` to less than twice as long, by a `chance` from 0 to less than 1: those who are refused together come back
// one after the other. A millisecond stays one: it means that there is nothing to wait for.
std::chrono::milliseconds Spread(std::chrono::milliseconds wait, double chance);

// Counts refusals by their reasons, all of which a scrape shows from the start. Thread-safe; `metrics` outlives it.
class RejectionCounters {
 public:
  explicit RejectionCounters(Metrics& metrics);
  void Count(Rejection rejection) const { counters_[rejection]->Increment(); }

 private:
  EnumTable<Rejection, EventCounter*> counters_;
};

// Counts what is in flight and says no above the caps: calls, before anything of them is read, and bytes, of requests
// and of answers. Lock-free and thread-safe.
//
// A unary call takes a slot at its headers, a stream one with a request that finds it without. It is given back when
// the last answer is handed to gRPC. The client has the answer before gRPC says that it is gone: were the slot given
// back then, a client that calls again at once would now and then be refused by its own call before. From then on the
// answer's bytes are what bounds calls whose clients do not read.
//
// While more than half of the slots are taken, one connection gets none beyond a quarter of them, so that others find
// some. A proxy's connection gets any.
//
// MAX_CONCURRENT_STREAMS would bind only after a client has acknowledged the setting, per connection; this binds
// always.
class Gate {
 public:
  static constexpr int kMostStreams = 100;

  // `max_streams`: of one connection.
  Gate(int max_calls, size_t max_bytes, int max_streams = kMostStreams)
      : max_calls_(max_calls), max_streams_(max_streams), max_bytes_(max_bytes) {}

  // A unary call's headers are here, on a connection that has this load. nullopt: it may pass and has a slot;
  // FreeSlot() and then Leave() follow, once each. kDraining, kCallsInFlight, kConnectionShare or, if no byte is left
  // to give, kBytesInFlight.
  std::optional<Rejection> Enter(ConnectionLoad& load);
  // A stream's are here. nullopt: it may pass, without a slot, and LeaveStream() follows. kDraining, kConnectionCalls
  // or kBytesInFlight.
  std::optional<Rejection> EnterStream(ConnectionLoad& load);
  // A stream needs a slot. nullopt: it has one, and FreeSlot() follows. kCallsInFlight or kConnectionShare.
  std::optional<Rejection> TakeSlot(ConnectionLoad& load);
  // The last answer is on its way: another call may come in its place.
  void FreeSlot(ConnectionLoad& load);
  // gRPC is done with the call, after FreeSlot().
  void Leave() { calls_.fetch_sub(1); }
  void LeaveStream(ConnectionLoad& load);

  // Returns the answer to a client whose Enter() or Reserve() failed.
  absl::Status Refusal(Rejection rejection) const;

  // A message of this size was read; it holds its bytes until Release(). False, and nothing held, if the cap would be
  // passed.
  bool Reserve(size_t bytes);
  void Release(size_t bytes) { request_bytes_.fetch_sub(bytes); }

  // An answer of this size is there, which cannot be refused any more: it holds its bytes, and a little more for what
  // gRPC needs for it, until ReleaseAnswer() of the same size. It keeps new calls out, and no message of a call that
  // is in.
  void HoldAnswer(size_t bytes) { answer_bytes_.fetch_add(bytes + kBytesBesideAnswer); }
  void ReleaseAnswer(size_t bytes) { answer_bytes_.fetch_sub(bytes + kBytesBesideAnswer); }

  // Lets nobody in any more. When calls() is 0 afterwards, no call is left.
  void Close() { closed_.store(true); }
  bool closed() const { return closed_.load(); }

  int calls() const { return calls_.load(); }
  size_t bytes() const { return request_bytes_.load() + answer_bytes_.load(); }
  // More than half of the bytes are taken: who can wait with reading more does well to.
  bool crowded() const { return bytes() > max_bytes_ / 2; }

 private:
  static constexpr size_t kBytesBesideAnswer = 4096;

  int share() const { return std::max(1, max_calls_ / 4); }

  const int max_calls_, max_streams_;
  const size_t max_bytes_;
  std::atomic<int> slots_{0}, calls_{0};
  std::atomic<size_t> request_bytes_{0}, answer_bytes_{0};
  std::atomic<bool> closed_{false};
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_GATE_H_
