#ifndef RESNETD_SERVER_SERVER_H_
#define RESNETD_SERVER_SERVER_H_

#include <atomic>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "server/edge/edge.h"
#include "server/http_server.h"
#include "server/metrics.h"
#include "server/model_repository.h"
#include "server/model_source.h"
#include "server/options.h"
#include "server/scheduling/scheduler.h"
#include "server/workers.h"

namespace resnetd::server {

// All parts of resnetd, in the order in which they need each other. Used by one thread, but for the signals' Stop().
class Server {
 public:
  explicit Server(const ServerOptions& options);

  // Listens, loads the models, serves until Stop(), drains. An error is what kept it from serving.
  absl::Status Run();
  // Begins the end; a second call cuts the lame-duck time short, a third one the calls in flight. Any thread.
  void Stop();

 private:
  absl::Status Listen();
  absl::Status Load(const std::vector<ModelSource>& sources);
  absl::Status Publish();
  void Announce();  // that it will stop, and serves on for the lame-duck time
  void Drain();
  std::string WhyNotReady() const;

  const ServerOptions options_;
  const int workers_count_;
  absl::Notification stop_, hurry_, at_once_;
  std::atomic<int> stops_{0};
  std::atomic<bool> ready_{false};

  Metrics metrics_;
  ModelRepository repository_;
  Workers workers_;
  std::vector<std::shared_ptr<const Model>> models_;  // by key
  scheduling::Scheduler scheduler_;
  // Destroyed first: they call the parts above.
  std::unique_ptr<Edge> edge_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_SERVER_H_
