#ifndef RESNETD_SERVER_OBSERVE_METRICS_H_
#define RESNETD_SERVER_OBSERVE_METRICS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/time.h"
#include "models/model.h"
#include "server/scheduling/scheduler.h"

namespace prometheus {
class Counter;
class Histogram;
}  // namespace prometheus

// The metrics that Prometheus sees. Seconds and bytes, field conventions, and no label value that a client could
// invent: methods, codes and reasons come from our own lists, models from the repository. The owner of such a list
// asks for a handle of each entry once and records by it.
namespace resnetd::server {

// Records the calls of one method. Thread-safe; lives as long as the Metrics that gave it.
class MethodMetrics {
 public:
  ~MethodMetrics();
  // A unary call or a stream ended with this gRPC code, `latency` after its headers arrived.
  void Ended(int grpc_code, Duration latency);

 private:
  friend class Metrics;
  struct State;
  explicit MethodMetrics(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

// Counts events of one kind. Thread-safe; lives as long as the Metrics that gave it.
class EventCounter {
 public:
  void Increment();

 private:
  friend class Metrics;
  explicit EventCounter(prometheus::Counter& counter) : counter_(counter) {}
  prometheus::Counter& counter_;
};

// Records the events of one model. Thread-safe; lives as long as the Metrics that gave it.
class ModelMetrics {
 public:
  // Largest probability of an image classified by the model's first head.
  void Confidence(double top1);

 private:
  friend class Metrics;
  explicit ModelMetrics(prometheus::Histogram& confidence) : confidence_(confidence) {}
  prometheus::Histogram& confidence_;
};

// Lines of one library's log with one severity.
struct LibraryLineCount {
  const char *library, *severity;
  int64_t lines = 0;  // since the start
};

// The metrics port's connections.
struct HttpFigures {
  int64_t connections = 0;      // there are now
  int64_t made_room = 0;        // closed for the sake of a newer one
  int64_t timed_out = 0;        // closed as they took too long
  int64_t failed = 0;           // closed for want of memory
  int64_t accept_failures = 0;  // that could not be taken at once
};

// Thread-safe; recording takes no lock of ours and allocates nothing, but for the first call of a method that ends with
// a code not seen before.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  // The figures of a method, under this name from now on; the same handle for the same name.
  MethodMetrics& Method(absl::string_view name);
  // The number of requests refused for this reason before anything was computed, likewise.
  EventCounter& Rejections(absl::string_view reason);
  // The number of connections to the gRPC port that the server closed for this reason, likewise.
  EventCounter& ClosedConnections(absl::string_view reason);
  // One image spent this long in a stage: waiting, being decoded, and being computed with its batch.
  void Queued(Duration took);
  void Decoded(Duration took);
  void Inferred(Duration took);
  // A batch of so many images is about to be computed; `why` there were not more.
  void BatchRun(int images, scheduling::Why why);
  // A worker spent this long on a batch, from taking it to its last answer.
  void WorkerBusy(Duration took);
  // A request was answered `actual` after its admission, and had been predicted to be after `predicted`. Both > 0.
  void Answered(Duration predicted, Duration actual);
  void ImageEnded(bool ok);
  // A network's output for one image was not finite, though its input was.
  void NotFinite();
  // A call was ended because its client did not take its answer.
  void AnswerNotTaken();
  // A connection to the gRPC port is not read for a while, as too many of its calls are refused.
  void ConnectionPaused();
  // So many bytes of an image file belonged to nothing, and were passed over.
  void StrayBytes(int64_t bytes);
  // A model of this name loaded again is recorded with the one before.
  ModelMetrics& ModelLoaded(const Model& model, Duration load_time);

  // Read at every scrape: queue depth, bytes, oldest age, busy workers, calls in flight, connections, the metrics
  // port, lines of libraries. What they call must live until they are replaced; an empty function leaves its figures
  // out.
  void SetSnapshot(std::function<scheduling::Snapshot()> snapshot);
  void SetCallsInFlight(std::function<int()> calls);
  void SetConnections(std::function<int()> connections);  // to the gRPC port
  void SetHttp(std::function<HttpFigures()> http);
  void SetLibraryLines(std::function<std::vector<LibraryLineCount>()> lines);
  void SetWorkers(int workers);

  // The text exposition format, with the process's own figures (CPU, memory, descriptors, start time).
  std::string Scrape();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_OBSERVE_METRICS_H_
