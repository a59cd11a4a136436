#ifndef RESNETD_SERVER_SERVED_MODEL_H_
#define RESNETD_SERVER_SERVED_MODEL_H_

#include <memory>

#include "models/model.h"
#include "server/observe/metrics.h"
#include "server/scheduling/policy.h"

namespace resnetd::server {

// A model in the server: under which key the scheduler and the workers know it, and where its figures are recorded. A
// value; a call holds the one it was admitted with, so every answer comes from exactly one version.
struct ServedModel {
  std::shared_ptr<const Model> model;
  scheduling::ModelKey key{};       // never used for another model
  ModelMetrics* metrics = nullptr;  // as long as the process lives
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_SERVED_MODEL_H_
