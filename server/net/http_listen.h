#ifndef RESNETD_SERVER_NET_HTTP_LISTEN_H_
#define RESNETD_SERVER_NET_HTTP_LISTEN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace resnetd::server {

// Sockets that listen, without waiting for connections and of this process alone.
class ListeningSockets {
 public:
  ListeningSockets() = default;
  ~ListeningSockets();
  ListeningSockets(ListeningSockets&& other) noexcept;
  ListeningSockets& operator=(ListeningSockets&& other) = delete;

  struct Socket {
    int fd = -1;
    bool is_v6 = false;
  };
  bool empty() const { return sockets_.empty(); }
  const Socket& last() const { return sockets_.back(); }
  void ReleaseLast() { sockets_.pop_back(); }  // somebody else closes it
  int port() const;

  // Listens on every address that `address` resolves to and this machine has, on the same port of each; 0: any that is
  // free. "::" takes IPv4 too. INVALID_ARGUMENT: a short form of an address (base/address.h); UNAVAILABLE: why not,
  // "the port is in use" if that is it.
  static absl::StatusOr<ListeningSockets> On(const std::string& address, int port);

 private:
  std::vector<Socket> sockets_;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_HTTP_LISTEN_H_
