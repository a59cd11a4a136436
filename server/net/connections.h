#ifndef RESNETD_SERVER_NET_CONNECTIONS_H_
#define RESNETD_SERVER_NET_CONNECTIONS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/descriptor.h"
#include "base/mutex.h"
#include "base/time.h"
#include "server/net/traffic.h"

namespace resnetd::server {

// A client's connection to the gRPC port, seen beside gRPC, which owns the socket and does not show it: this holds a
// duplicate of its descriptor. Thread-safe. Calls may hold one for longer than it is connected.
class Connection {
 public:
  // `peer`: as gRPC calls it, see PeerOf(); empty for a unix socket's, whose clients have no address.
  Connection(Descriptor duplicate, std::string peer, Time since);

  const std::string& peer() const { return peer_; }
  uint64_t id() const { return id_; }  // which no other has, ever
  Time since() const { return since_; }

  // Nothing: it is over, cut, or no TCP connection.
  std::optional<Traffic> traffic();
  // Nothing more is read from it than has arrived. What is being sent goes on; gRPC finds the end and closes it. It
  // finds it only with nothing left to read, and looks when it is told: with a client that goes on sending, tell it
  // again.
  void CloseInward();
  // Ends it both ways, at once; what has arrived and was not read yet is lost.
  void Cut();
  // Gives the duplicate back; the connection is over.
  void Gone();

 private:
  void Shutdown(int how);

  const uint64_t id_;
  const std::string peer_;
  const Time since_;
  Mutex mu_;
  Descriptor socket_ ABSL_GUARDED_BY(mu_);
  bool cut_ ABSL_GUARDED_BY(mu_) = false;
};

// The connections that there are. Thread-safe.
class Connections {
 public:
  void Add(std::shared_ptr<Connection> connection);
  void Remove(const Connection& connection);
  size_t count() const;
  // That of the client that gRPC calls `peer` (ServerContextBase::peer()). Null: it is gone, or a unix socket's.
  std::shared_ptr<Connection> Find(absl::string_view peer) const;
  std::vector<std::shared_ptr<Connection>> All() const;

 private:
  mutable Mutex mu_;
  absl::flat_hash_map<const Connection*, std::shared_ptr<Connection>> all_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, std::shared_ptr<Connection>> by_peer_ ABSL_GUARDED_BY(mu_);
};

// The name that gRPC 1.51 has for the client at the other end of a connected socket, but for percent-encoding:
// "ipv4:127.0.0.1:40000", "ipv6:[::1]:40000"; "" for a unix socket. Nothing: it is not connected any more.
std::optional<std::string> PeerOf(int fd);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_CONNECTIONS_H_
