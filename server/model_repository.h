#ifndef RESNETD_SERVER_MODEL_REPOSITORY_H_
#define RESNETD_SERVER_MODEL_REPOSITORY_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
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

enum class ModelState : uint8_t { kLoading, kReady, kFailed };

struct ModelEntry {
  std::string name, version;
  ModelState state = ModelState::kLoading;
  std::string error;  // why, if kFailed
};

// The models a server knows by name, one version each. Thread-safe.
class ModelRepository {
 public:
  // The model is known and cannot be called yet.
  void SetLoading(absl::string_view name, absl::string_view version);
  // It can be called from now on. Replaces what was known of its name.
  void Add(ServedModel model);
  // It will not come. `why` is shown to clients.
  void SetFailed(absl::string_view name, absl::string_view version, const absl::Status& why);

  // An empty name means the only model, an empty version the one there is. INVALID_ARGUMENT: no name, and several
  // models; NOT_FOUND: no such model or version (both list what there is); UNAVAILABLE: it is loading or has failed.
  absl::StatusOr<ServedModel> Find(absl::string_view name, absl::string_view version) const;
  // Ordered by name.
  std::vector<ModelEntry> List() const;

 private:
  struct Slot {
    ModelEntry entry;
    ServedModel model;  // of kReady only
  };
  std::string Names() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  std::map<std::string, Slot, std::less<>> slots_ ABSL_GUARDED_BY(mu_);
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_MODEL_REPOSITORY_H_
