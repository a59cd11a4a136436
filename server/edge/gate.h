#ifndef RESNETD_SERVER_EDGE_GATE_H_
#define RESNETD_SERVER_EDGE_GATE_H_

#include <atomic>
#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "server/observe/metrics.h"

namespace resnetd::server {

// Counts what is in flight and says no above the caps: the first gate, before anything is read, and the count of
// request bytes. Lock-free and thread-safe.
//
// MAX_CONCURRENT_STREAMS would bind only after a client has acknowledged the setting, per connection; this binds
// always.
class Gate {
 public:
  Gate(int max_calls, size_t max_bytes) : max_calls_(max_calls), max_bytes_(max_bytes) {}

  // A call's headers are here. nullopt: it may pass, and Leave() follows. kDraining, kCallsInFlight or, if no byte is
  // left to give, kBytesInFlight.
  std::optional<Rejection> Enter();
  void Leave() { calls_.fetch_sub(1); }

  // Returns the answer to a client whose Enter() or Reserve() failed.
  absl::Status Refusal(Rejection rejection) const;

  // A message of this size was read; it holds its bytes until Release(). False, and nothing held, if the cap would be
  // passed.
  bool Reserve(size_t bytes);
  void Release(size_t bytes) { bytes_.fetch_sub(bytes); }

  // Lets nobody in any more. When calls() is 0 afterwards, no call is left.
  void Close() { closed_.store(true); }
  bool closed() const { return closed_.load(); }

  int calls() const { return calls_.load(); }
  size_t bytes() const { return bytes_.load(); }
  // More than half of the bytes are taken: who can wait with reading more does well to.
  bool crowded() const { return bytes() > max_bytes_ / 2; }

 private:
  const int max_calls_;
  const size_t max_bytes_;
  std::atomic<int> calls_{0};
  std::atomic<size_t> bytes_{0};
  std::atomic<bool> closed_{false};
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_GATE_H_
