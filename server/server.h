#ifndef RESNETD_SERVER_SERVER_H_
#define RESNETD_SERVER_SERVER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "base/time.h"
#include "models/source.h"
#include "server/compute/workers.h"
#include "server/connection_shares.h"
#include "server/edge/edge.h"
#include "server/model_repository.h"
#include "server/net/http_server.h"
#include "server/observe/metrics.h"
#include "server/options.h"
#include "server/scheduling/scheduler.h"

namespace resnetd::server {

// How many threads a server with these options has, but for the first: its own and the libraries'.
int ThreadsOf(const ServerOptions& options);

// All parts of resnetd, in the order in which they need each other. Used by one thread, but for the signals' Stop().
class Server {
 public:
  // `connections`: how many each port may have, in place of the options' word.
  Server(const ServerOptions& options, const ConnectionShares& connections);

  // Listens, loads the models, serves until Stop(), drains. An error is what kept it from serving.
  absl::Status Run();
  // Begins the end; a second call ends all waiting, for the lame-duck time and for calls in flight. Any thread. While a
  // model loads, which cannot be interrupted and may take minutes, it does not return: the process ends with status 0.
  void Stop();

 private:
  absl::Status Listen();
  absl::Status Load(const std::vector<ModelSource>& sources);  // all, or with --keep-going at least one
  void Publish();
  void Announce();  // that it will stop, and serves on for the lame-duck time
  void Drain();
  // Waits until Stop() has been called so often, at most until then.
  bool Stopped(int times, Time until);
  void ShowReadiness() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);  // in health
  std::string WhyNotReady() const;                          // empty: it is
  std::string WhyNotReadyLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  [[noreturn]] void LeaveWhileLoading();

  const ServerOptions options_;
  const ConnectionShares connections_;
  const int workers_count_;

  mutable Mutex mu_;
  CondVar stopped_;  // Stop() was called
  int stops_ ABSL_GUARDED_BY(mu_) = 0;
  bool loading_ ABSL_GUARDED_BY(mu_) = false, published_ ABSL_GUARDED_BY(mu_) = false;

  Metrics metrics_;
  ModelRepository repository_;
  Workers workers_;
  std::vector<ServedModel> models_;                        // that are loaded; constant once published_
  std::vector<std::vector<scheduling::BatchCost>> costs_;  // theirs, as measured
  scheduling::Scheduler scheduler_;
  // Destroyed first: they call the parts above.
  std::unique_ptr<Edge> edge_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_SERVER_H_
