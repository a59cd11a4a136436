#ifndef RESNETD_SERVER_EDGE_EDGE_H_
#define RESNETD_SERVER_EDGE_EDGE_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time.h"
#include "engine/image/image.h"
#include "server/edge/pace.h"
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
  // After so long, a tenth more or less, a client is asked to take a new connection, so that it finds replicas that
  // have come since. 0: never. Seconds of it make clients connect all the time.
  std::chrono::milliseconds max_connection_age = std::chrono::minutes(15);

  // Calls between their headers and their last answer, and streams that have a request under way. Bounds the memory of
  // calls that send slowly; a value below the number of closed-loop clients refuses some of them, and a connection
  // alone gets half of it.
  int max_calls_in_flight = 1024;
  // Calls of one connection, which its client is told as HTTP/2's MAX_CONCURRENT_STREAMS and keeps: it sends no more
  // before others have ended. With few, clients that want more than there is keep the rest to themselves in place of
  // having it refused; fewer than the workers compute meanwhile leave them idle. 0: as many as may be in flight, and a
  // few.
  int max_calls_per_connection = 0;
  RefusalPace refusals{};
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
  // Streams of one connection, with and without a request. Bounds the memory of those without: some 10 kB each. 100 is
  // what HTTP/2 advises for all calls; whoever carries more clients' streams over a connection is a proxy.
  int max_streams_per_connection = 100;
  // Addresses and networks whose connections carry the calls of many clients: the limits of a connection do not hold
  // for them. Those of unix sockets are known to be such.
  std::vector<std::string> trusted_proxies{};
  image::Limits image_limits{};

  // How long a call's request may take to arrive after its headers, and an answer to be taken, without progress; 0: for
  // ever. Calls hold their slots, and answers their memory, for as long: long enough for a network that stands still
  // for a moment. What moves may take 60 times as long: 16 MB on the slowest of lines.
  std::chrono::milliseconds message_timeout{10'000}, answer_timeout{10'000};

  std::shared_ptr<Authenticator> authenticator{};  // null: everybody is welcome, anonymously
};

// A listening server of some protocols. Thread-safe. The repository, the scheduler and the metrics outlive it.
//
// The end of a server: SetServing("", false), serve on for the lame-duck time, RefuseNewCalls(), wait until
// calls_in_flight() is 0 or patience ends, Shutdown().
class Edge {
 public:
  // Listens and serves. Health is NOT_SERVING for "" and all models until SetServing() says otherwise, SERVING for
  // "liveness". UNAVAILABLE: the port is in use; INVALID_ARGUMENT names the option that is wrong.
  static absl::StatusOr<std::unique_ptr<Edge>> Start(const EdgeOptions& options, std::vector<Protocol> protocols,
                                                     const ModelRepository& models, scheduling::Scheduler& scheduler,
                                                     Metrics& metrics);
  virtual ~Edge() = default;  // Shutdown() without patience, if it was not called

  virtual int port() const = 0;  // 0: of a unix socket
  // Why a new connection would be refused or left waiting now; empty: it would not.
  virtual std::string WhyClosed() const = 0;
  virtual int connections() const = 0;
  // The health service's answer for `name`: "" for the server, or a model's name. Watches are told at once.
  virtual void SetServing(absl::string_view name, bool serving) = 0;
  // From now on calls get UNAVAILABLE at their headers; those in flight go on. Streams answer UNAVAILABLE to requests
  // they read from now on.
  virtual void RefuseNewCalls() = 0;
  // Health is NOT_SERVING from now on. Calls in flight may finish until `deadline`; they and all others, watches of
  // health too, see UNAVAILABLE then, and their connections are closed. Returns when no call is left.
  virtual void Shutdown(Time deadline) = 0;
  virtual int calls_in_flight() const = 0;
  // Calls that have been refused, and whose refusals are held back while all workers are busy. They are not in flight.
  virtual int refusals_held() const = 0;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_EDGE_H_
