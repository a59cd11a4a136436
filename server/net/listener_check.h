#ifndef RESNETD_SERVER_NET_LISTENER_CHECK_H_
#define RESNETD_SERVER_NET_LISTENER_CHECK_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace resnetd::server {

// Listens to the server from outside: from time to time it connects to the gRPC port and expects HTTP/2's first frame.
//
// gRPC 1.51 stops accepting for good when accept() fails once, as it does when the process has no descriptor left. The
// kernel completes handshakes on its own, so that a connection alone says nothing.
//
// No call is made: nothing is counted, and no gate refuses it. Thread-safe.
class ListenerCheck {
 public:
  struct Settings {
    // The time between checks that succeed, and after one that failed.
    std::chrono::milliseconds interval{5000}, retry{1000};
    // The time for one connection to be answered; the server needs a millisecond of a processor for it, and a container
    // that is throttled to a few percent of one still comes by that.
    std::chrono::milliseconds patience{5000};
    // So many failures in a row make the port count as deaf. One success ends that.
    int failures = 3;
  };

  // Checks `address` and `port` as a server was told to listen on: wildcards are reached by loopback, and of a name
  // with several addresses each must answer that ever has. `changed` is called by its thread: with a sentence when the
  // port has become deaf, with "" when it answers again. UNAVAILABLE: no descriptor is left, or the address is none.
  static absl::StatusOr<std::unique_ptr<ListenerCheck>> Start(const std::string& address, int port, Settings settings,
                                                              std::function<void(const std::string& why)> changed);
  virtual ~ListenerCheck() = default;  // at once, whatever it waits for; `changed` is not called any more
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_LISTENER_CHECK_H_
