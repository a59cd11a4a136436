#ifndef RESNETD_ENGINE_ONEDNN_SESSION_H_
#define RESNETD_ENGINE_ONEDNN_SESSION_H_

#include <dnnl.h>

#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/engine.h"
#include "engine/onednn/plan.h"

// Runs of a compiled model, and what everybody needs who calls the library: its threads and its errors.
namespace resnetd::onednn {

// The status of oneDNN's `code` while doing `what` ("compiling Conv \"conv1\" ..."). Out of memory is
// RESOURCE_EXHAUSTED; what the library does not implement is INVALID_ARGUMENT, since the model asked for it; the rest
// is INTERNAL.
absl::Status ToStatus(dnnl_status_t code, absl::string_view what);

// Sets the number of OpenMP threads of the calling thread while it lives, however busy the machine is (OMP_DYNAMIC):
// oneDNN lays primitives out for the number it finds at their creation and must find the same one when they run.
class ThreadCount {
 public:
  explicit ThreadCount(int threads);
  ~ThreadCount();
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int threads_before_, dynamic_before_;
};

// See Engine::NewSession().
absl::StatusOr<std::unique_ptr<Session>> NewSession(std::shared_ptr<const Program> program,
                                                    absl::Span<std::byte> arena);

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_SESSION_H_
