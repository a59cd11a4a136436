#ifndef RESNETD_SERVER_NET_ACCEPTOR_H_
#define RESNETD_SERVER_NET_ACCEPTOR_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/descriptor.h"
#include "server/net/connections.h"
#include "server/net/listening.h"

namespace resnetd::server {

// Accepts connections and hands them on, keeps account of them, and never goes deaf: gRPC 1.51's own listeners stop for
// good at the first accept() that fails. Thread-safe; it has one thread.
//
// A connection beyond the limit is accepted and closed at once, so that its client learns of it. Where the system has
// no descriptor or memory for another one, those that wait are taken as soon as it has.
class Acceptor {
 public:
  struct Settings {
    int max_connections = 1;  // open at once; each takes two descriptors
    // Takes an accepted connection. The acceptor's thread calls this and `refused`.
    std::function<void(Descriptor)> take;
    std::function<void()> refused;  // hears of each connection that was closed for the limit's sake
  };

  // Fails with UNAVAILABLE if the system has no descriptor for it.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Create(Listening listening, Settings settings);
  virtual ~Acceptor() = default;  // StopListening(), and cuts what connections there are

  // Accepts from now on. It is called once at most.
  virtual void Begin() = 0;
  virtual const Connections& connections() const = 0;
  // Says why a new connection would be refused or left waiting; empty if neither. After a refusal it says so until
  // there is room for several.
  virtual std::string WhyClosed() const = 0;
  // Stops accepting: no connection is accepted any more when this returns, and those that there are go on.
  virtual void StopListening() = 0;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_ACCEPTOR_H_
