#ifndef RESNETD_SERVER_EDGE_WATCH_H_
#define RESNETD_SERVER_EDGE_WATCH_H_

#include <memory>

#include "server/edge/call.h"
#include "server/edge/shares.h"

namespace resnetd::server {

// Bounds the calls of such methods that a connection may have open: a client watches the server and perhaps each of its
// models. They hold no slot, so that health is answered when all are taken. A proxy's connection may have any number.
inline constexpr int kMostWatches = 32;

// Begins a call of a method that tells a state (`served.method.watch`): it reads its request and answers, once or after
// each change until the client or the state ends it. A client that reads slowly gets the latest state and not each.
//
// The caller has counted it in `load->health`; it counts itself down when gRPC is done with it.
Reactor* NewWatchCall(grpc::CallbackServerContext& context, const ServedMethod& served, const Services& services,
                      const Arrival& arrival, std::shared_ptr<ConnectionLoad> load);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_WATCH_H_
