#ifndef RESNETD_ENGINE_NETWORK_CONTENT_H_
#define RESNETD_ENGINE_NETWORK_CONTENT_H_

#include <future>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/graph/graph.h"
#include "engine/network.h"
#include "engine/passes/passes.h"

// The inside of a Network, for the engine's own boxes.
namespace resnetd {

struct Network::Content {
  graph::Graph graph;
  std::shared_future<std::string> sha256;
  std::vector<std::string> notes;
};

// ReadNetwork() that shows the graph to `observe` as it was imported, with the outputs that the options name
// ("import"), and after every pass, the last time as it is compiled.
absl::StatusOr<Network> ReadNetwork(ModelBytes model, const ReadOptions& options, passes::Observer observe);

}  // namespace resnetd

#endif  // RESNETD_ENGINE_NETWORK_CONTENT_H_
