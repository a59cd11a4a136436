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
#include "server/served_model.h"

namespace resnetd::server {

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
