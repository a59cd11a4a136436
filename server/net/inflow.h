#ifndef RESNETD_SERVER_NET_INFLOW_H_
#define RESNETD_SERVER_NET_INFLOW_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/time.h"

namespace resnetd::server {

// Keeps a connection's books: what has come in since it was accepted, and what of it is done.
struct Account {
  uint64_t id = 0;      // of the connection, never used again
  std::string address;  // of the client; connections of one address are judged together. Empty: of nobody in particular
  int64_t read = 0, sent = 0;                    // bytes
  int64_t streams_begun = 0, streams_ended = 0;  // HTTP/2's, that is, calls; ended: their memory is free
  int64_t messages = 0;                          // received whole
};

// Names the budget that a connection has passed.
enum class Excess : uint8_t {
  kStreams,    // calls begun and not ended
  kHeaders,    // bytes that are neither calls nor messages, while the process grows many times as fast
  kUnfinished  // bytes after which no message was whole, and no call at its end
};
absl::string_view ExcessName(Excess excess);  // "streams", ...

// Judges which connections take memory that nothing accounts for, each time that the process has grown. A pure class:
// time and size are arguments. Not thread-safe.
//
// gRPC 1.51 bounds none of it: headers that never end make seventy bytes of each, and a call is there from its first
// frame on, with some 20 kB, be it reset at once. What shows from outside is that the server has nothing to answer to
// headers: a client that sends a message is told, every half window of it, to go on.
class Inflow {
 public:
  struct Limits {
    // Calls of one connection. A client that cancels all it may have and calls again has twice as many for an instant.
    int64_t streams = 1600;
    // Calls of all connections of one address.
    int64_t streams_of_address = 2400;
    int64_t message_bytes = int64_t{16} << 20;
  };
  struct Cut {
    uint64_t id;
    Excess excess;
    int64_t amount, limit;
  };

  explicit Inflow(const Limits& limits) : limits_(limits) {}

  // Returns which of `all` connections are to be cut, and forgets them; it also forgets those that `all` does not name
  // any more. `resident` is the size of the process now, in bytes, and `grown` is how much larger that is than its
  // least size since the last look. The address of one that is cut has smaller budgets for a minute: a quarter of what
  // no message needs.
  std::vector<Cut> Look(Time now, int64_t resident, int64_t grown, absl::Span<const Account> all);

  // Addresses that have been cut, at most kMostOffenders of them.
  size_t offenders() const { return offenders_.size(); }
  static constexpr size_t kMostOffenders = 1024;

 private:
  struct Seen {
    int64_t read = 0, sent = 0, done = 0;  // done: messages and streams
    // It was last answered anything when so much had been read of it and of all connections; and the least size of the
    // process since.
    int64_t answered_at = 0, all_then = 0, resident_then = 0;
    // A message or a call was last done when so much had been read, at this time.
    int64_t done_at = 0;
    Time done_time{};
    bool looked_at = false;
  };

  void Update(Time now, int64_t resident, int64_t grown, absl::Span<const Account> all);
  // Returns nullopt if it is within its budget. `of_address`: calls of its address.
  std::optional<Cut> Judge(const Account& account, int64_t of_address, Time now, int64_t resident) const;
  // Returns the number by which the budget of an address is divided.
  int64_t DivisorOf(const std::string& address) const;
  // Makes the address an offender for a minute. Returns whether it is one only now.
  bool Remember(const std::string& address, Time now);

  const Limits limits_;
  int64_t all_read_ = 0;  // of all connections that there ever were, as far as it was looked at
  absl::flat_hash_map<uint64_t, Seen> seen_;
  absl::flat_hash_map<std::string, Time> offenders_;  // until when
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_INFLOW_H_
