#ifndef RESNETD_MODELS_RUNNER_H_
#define RESNETD_MODELS_RUNNER_H_

#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/arena.h"
#include "engine/engine.h"
#include "engine/image/image.h"
#include "engine/image/recipe.h"

namespace resnetd {

// A thread computes in its workplace, whatever the model: an arena, and a preprocessor with its buffers. It is lent to
// runners, of which one is used at a time.
class Workplace {
 public:
  // `arena_bytes`: the most that an engine of its runners needs.
  explicit Workplace(size_t arena_bytes, const image::Limits& limits = {})
      : arena_(arena_bytes), preprocessor_(limits) {}

 private:
  friend class Runner;
  const Arena arena_;
  image::Preprocessor preprocessor_;
};

// From image files to a model's outputs, a batch at a time: a session, and a recipe by which its slots are filled. Used
// by one thread at a time. Keeps the engine alive; the workplace, which is the caller's, outlives it.
class Runner {
 public:
  // INVALID_ARGUMENT: the workplace's arena is too small.
  static absl::StatusOr<Runner> Make(const Engine& engine, const image::Recipe& recipe, Workplace& workplace);

  // Fills slot `i` from an image file, as image::Preprocessor::FromFile(); so do the others below from what they are
  // given.
  absl::Status Decode(absl::string_view file, int i);
  absl::Status Decode(absl::Span<const std::byte> file, const image::Header& header, int i);
  absl::Status Normalise(const image::PixelView& pixels, int i);
  // Slot `i`, to be written by the caller.
  image::TensorView slot(int i) const;
  // Bytes of the last file that belonged to nothing.
  int64_t stray_bytes() const { return workplace_->preprocessor_.stray_bytes(); }

  // These two do what Session's do.
  absl::StatusOr<RunTimings> Run(const RunSpec& spec) { return session_->Run(spec); }
  absl::Span<const float> output(OutputId id, int i) const { return session_->output(id, i); }

 private:
  Runner(std::unique_ptr<Session> session, const image::Recipe& recipe, Workplace& workplace)
      : session_(std::move(session)), recipe_(recipe), workplace_(&workplace) {}

  std::unique_ptr<Session> session_;
  image::Recipe recipe_;
  Workplace* workplace_;
};

}  // namespace resnetd

#endif  // RESNETD_MODELS_RUNNER_H_
