#ifndef RESNETD_SERVER_EDGE_EDGE_H_
#define RESNETD_SERVER_EDGE_EDGE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time.h"
#include "engine/image/image.h"
#include "server/observe/metrics.h"
#include "server/scheduling/scheduler.h"

// The gRPC side of the server: it turns calls into items for the scheduler and finished items into answers.
// docs/edge.md shows the way of a call.
namespace resnetd::server {

class Authenticator;
class ModelRepository;
struct Protocol;

struct EdgeOptions {
  std::string address = "127.0.0.1";  // base/address.h; or a unix socket's, which has no port
  int port = 8500;                    // 0: any free one, see Edge::port()

  // Connections at once, each of two descriptors; more are closed as they come. Too few make clients that have one each
  // wait for each other.
  int max_connections = 256;

  // Calls between their headers and their last answer, streams included. Bounds the memory of calls that send slowly; a
  // value below the number of closed-loop clients refuses some of them.
  int max_calls_in_flight = 1024;
  // Request messages from their reading to their answer, and answers until their clients have taken them. Bounds the
  // memory of what waits; less than a few messages of the largest size refuses calls that the queue could hold.
  size_t max_bytes_in_flight = size_t{256} << 20;
  // One request message, or the embeddings of one answer. Large enough for a batch of photos, small enough that a few
  // calls cannot fill the memory.
  size_t max_message_bytes = size_t{16} << 20;
  int max_images_per_request = 64;
  // Requests of one stream that are read and not yet answered and sent. 1 computes the images of a stream one by one;
  // more than a few batches' worth only makes a stream's answers wait for each other.
  int stream_window = 32;
  image::Limits image_limits{};

  std::shared_ptr<Authenticator> authenticator{};  // null: everybody is welcome, anonymously
};

// A listening server of some protocols. Thread-safe. The repository, the scheduler and the metrics outlive it.
//
// The end of a server: SetServing("", false), serve on for the lame-duck time, RefuseNewCalls(), wait until
// calls_in_flight() is 0 or patience ends, Shutdown().
class Edge {
 public:
  // Listens and serves. Health is NOT_SERVING for "" and all models until SetServing() says otherwise, SERVING for
  // "liveness". gRPC 1.51 itself starts with "" SERVING and is told otherwise at once; a model that loads before
  // Start() leaves no gap. UNAVAILABLE: the port is in use; INVALID_ARGUMENT names the option that is wrong.
  static absl::StatusOr<std::unique_ptr<Edge>> Start(const EdgeOptions& options, std::vector<Protocol> protocols,
                                                     const ModelRepository& models, scheduling::Scheduler& scheduler,
                                                     Metrics& metrics);
  virtual ~Edge() = default;  // Shutdown() without patience, if it was not called

  virtual int port() const = 0;  // 0: of a unix socket
  // Why a new connection would be refused or left waiting now; empty: it would not.
  virtual std::string WhyClosed() const = 0;
  virtual int connections() const = 0;
  // The health service's answer for `name`: "" for the server, or a model's name.
  virtual void SetServing(absl::string_view name, bool serving) = 0;
  // From now on calls get UNAVAILABLE at their headers; those in flight go on. Streams answer UNAVAILABLE to requests
  // they read from now on.
  virtual void RefuseNewCalls() = 0;
  // Calls in flight may finish until `deadline`; they and all others see UNAVAILABLE then, when their connections are
  // closed. Returns when no call is left.
  virtual void Shutdown(Time deadline) = 0;
  virtual int calls_in_flight() const = 0;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_EDGE_H_
