#ifndef RESNETD_SERVER_COMPUTE_WORKERS_H_
#define RESNETD_SERVER_COMPUTE_WORKERS_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "engine/image/image.h"
#include "server/compute/image_job.h"
#include "server/model_repository.h"
#include "server/observe/metrics.h"
#include "server/scheduling/scheduler.h"

namespace resnetd::server {

// Computes batches: each of the scheduler's worker threads has an arena, a session of every model in it, and a
// preprocessor. Run(w, ...) is called by one thread at a time for each w; Prepare() before any of them.
class Workers {
 public:
  Workers(int workers, const image::Limits& limits, Metrics& metrics);
  ~Workers();

  // Sessions of these models for every worker; a worker's sessions share its arena, as it
  // runs one at a time. Once, before their first batch.
  absl::Status Prepare(absl::Span<const ServedModel> models);

  // Decodes each image straight into its slot, computes those that could be decoded, and finishes every job.
  void Run(int worker, const scheduling::Dispatch& dispatch, std::vector<std::unique_ptr<scheduling::Job>> jobs);

 private:
  class Worker;

  const image::Limits limits_;
  Metrics& metrics_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_COMPUTE_WORKERS_H_
