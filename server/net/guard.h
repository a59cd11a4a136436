#ifndef RESNETD_SERVER_NET_GUARD_H_
#define RESNETD_SERVER_NET_GUARD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "server/net/connections.h"
#include "server/net/inflow.h"

namespace resnetd::server {

// The counts that gRPC keeps of one connection.
struct StreamCount {
  int64_t begun = 0, ended = 0;  // calls; ended: their memory is free
  int64_t messages = 0;          // received whole
};

// Keeps single connections from blowing up the process: whenever its memory has grown, it compares what each has sent
// with what that became (Inflow), cuts those past their budget, and gives freed memory back to the system. It has one
// thread, which looks at the size of the process two hundred times a second, and at nothing else while that stays.
//
// Unix sockets' clients are trusted: their connections have no name to ask gRPC by, and no counts in the kernel.
class Guard {
 public:
  struct Settings {
    Inflow::Limits limits{};
    // Returns the counts of the connection that gRPC calls so; nullopt if it is not known yet, or not any more.
    std::function<std::optional<StreamCount>(const std::string& peer)> streams;
    // Says whether it is a proxy, whose clients must not pay for each other: its address is no offender. Null: none is.
    std::function<bool(absl::string_view peer)> trusted{};
    std::function<void(Excess)> cut;  // hears of each connection that was cut
  };

  // Guards `connections`, which outlive it. Its thread calls all functions in `settings`.
  static std::unique_ptr<Guard> Start(const Connections& connections, Settings settings);
  virtual ~Guard() = default;
};

// Returns the address in a connection's name; of an IPv6 address the network (/64) that its owner has.
std::string AddressOf(absl::string_view peer);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_GUARD_H_
