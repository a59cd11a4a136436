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
  // `peer` is as gRPC calls it, see PeerOf(); empty for a unix socket's, whose clients have no address.
  Connection(Descriptor duplicate, std::string peer, Time since);

  const std::string& peer() const { return peer_; }
  uint64_t id() const { return id_; }  // no other connection has it, ever
  Time since() const { return since_; }

  // Returns what the kernel counts; nullopt if the connection is over, cut, or not TCP's.
  std::optional<Traffic> traffic();
  // Lets gRPC read no more from it than has arrived. What is being sent goes on; gRPC finds the end and closes it. It
  // finds the end only with nothing left to read, and looks when this is called: call it again while the client goes on
  // sending.
  void CloseInward();
  // The kernel does not tell gRPC of what arrives until Resume(), until 256 KB wait, or until the client leaves. TCP's
  // alone; nothing for others.
  void Pause();
  // The kernel tells gRPC at once of what waits.
  void Resume();
  // Ends it both ways, at once. Bytes that have arrived and were not read yet are lost.
  void Cut();
  // Gives the duplicate back: the connection is over.
  void Gone();

 private:
  void Shutdown(int how);
  // Lets the kernel tell of no fewer bytes than these.
  void SetLowWater(int bytes);

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
  // Returns the connection of the client that gRPC calls `peer` (ServerContextBase::peer()); null if it is gone, or a
  // unix socket's.
  std::shared_ptr<Connection> Find(absl::string_view peer) const;
  std::vector<std::shared_ptr<Connection>> All() const;

 private:
  mutable Mutex mu_;
  absl::flat_hash_map<const Connection*, std::shared_ptr<Connection>> all_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, std::shared_ptr<Connection>> by_peer_ ABSL_GUARDED_BY(mu_);
};

// Returns the name that gRPC 1.51 has for the client at the other end of a connected socket, but for percent-encoding:
// "ipv4:127.0.0.1:40000", "ipv6:[::1]:40000"; "" for a unix socket. nullopt: it is not connected any more.
std::optional<std::string> PeerOf(int fd);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_CONNECTIONS_H_
