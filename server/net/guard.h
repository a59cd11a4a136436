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
    // Tells the counts of the connection that gRPC calls so. Nothing: it is not known yet, or not any more.
    std::function<std::optional<StreamCount>(const std::string& peer)> streams;
    // Whether it is a proxy, whose clients must not pay for each other: it is no offender. Null: none is.
    std::function<bool(absl::string_view peer)> trusted{};
    std::function<void(Excess)> cut;  // one was
  };

  // Guards `connections`, which outlive it. All that is given is called by its thread.
  static std::unique_ptr<Guard> Start(const Connections& connections, Settings settings);
  virtual ~Guard() = default;
};

// The address in a connection's name, and of an IPv6 address the network (/64) that its owner has.
std::string AddressOf(absl::string_view peer);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_GUARD_H_
