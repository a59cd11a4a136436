#ifndef RESNETD_SERVER_EDGE_STREAM_COUNTS_H_
#define RESNETD_SERVER_EDGE_STREAM_COUNTS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "base/time.h"
#include "server/net/guard.h"

namespace resnetd::server {

// Asks gRPC what it counts of each connection ("channelz", which the server must have been built with): its calls as
// the transport sees them, from their first frame to the end of their memory, those of gRPC's own services included.
// Ours hear of a call when the thread that reads has nothing left to read, which in a flood is never.
//
// Not thread-safe; about 20 us a question.
class StreamCounts {
 public:
  // Asks the gRPC server that this process has built last.
  StreamCounts();

  // Returns the counts of the connection that gRPC calls so; nullopt if it has none of this name, any more or yet.
  std::optional<StreamCount> Of(const std::string& peer);

 private:
  void FindSockets();

  const int64_t server_;
  absl::flat_hash_map<std::string, int64_t> sockets_;
  Time found_at_{};
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_STREAM_COUNTS_H_
