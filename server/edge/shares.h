#ifndef RESNETD_SERVER_EDGE_SHARES_H_
#define RESNETD_SERVER_EDGE_SHARES_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/enum_table.h"
#include "base/mutex.h"
#include "base/networks.h"

namespace resnetd::server {

// Names what a call may wait for its client to do: to send its request, or to take an answer.
enum class Awaited : uint8_t { kMessage, kAnswer };

// Counts what the calls of one connection hold, so that one cannot hold everything. Thread-safe. Each call that counts
// something up counts it down again.
struct ConnectionLoad {
  ConnectionLoad(std::string peer_name, bool is_trusted) : peer(std::move(peer_name)), trusted(is_trusted) {}

  const std::string peer;                        // as gRPC calls it: "ipv4:127.0.0.1:40000"
  const bool trusted;                            // it is a proxy's, which carries the calls of many clients
  std::atomic<int> slots{0};                     // that it has of the gate's
  std::atomic<int> streams{0}, health{0};        // calls open
  EnumTable<Awaited, std::atomic<int>> waits{};  // calls that wait for it
};

// Says whether the client that gRPC calls `peer` is a proxy, which carries the calls of many: its address is one of
// `proxies`, or it is this machine's own by a unix socket.
bool IsProxy(absl::string_view peer, const Networks& proxies);

// Finds the load of a connection by its peer, for as long as it has a call. Thread-safe.
class Shares {
 public:
  // `trusted` is asked once for each load, see IsProxy().
  explicit Shares(std::function<bool(absl::string_view peer)> trusted);

  // Returns the load of a connection, the same for all of its calls that are there at one time. It may outlive the
  // table.
  std::shared_ptr<ConnectionLoad> Of(const std::string& peer);
  size_t connections() const { return table_->Size(); }  // with a call

 private:
  struct Table {
    void Drop(const std::string& peer);
    size_t Size();

    Mutex mu;
    absl::flat_hash_map<std::string, std::weak_ptr<ConnectionLoad>> loads ABSL_GUARDED_BY(mu);
  };

  const std::function<bool(absl::string_view)> trusted_;
  const std::shared_ptr<Table> table_;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_SHARES_H_
