#ifndef RESNETD_ENGINE_ONEDNN_SESSION_H_
#define RESNETD_ENGINE_ONEDNN_SESSION_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/engine.h"
#include "engine/onednn/plan.h"

namespace resnetd::onednn {

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
