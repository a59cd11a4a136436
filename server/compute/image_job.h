#ifndef RESNETD_SERVER_COMPUTE_IMAGE_JOB_H_
#define RESNETD_SERVER_COMPUTE_IMAGE_JOB_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/time.h"
#include "engine/engine.h"
#include "engine/image/image.h"
#include "models/model.h"
#include "server/scheduling/scheduler.h"

// The seam between the edge, which understands protocols, and the workers, which understand images: one image that
// waits for its answer.
namespace resnetd::server {

enum class SourceKind : uint8_t {
  kEncoded,    // a JPEG, PNG or WebP file
  kPixelsU8,   // one byte a channel; of the input's size, or of any if the recipe resizes
  kTensorF32,  // the input's size, little-endian, already normalised
  kTensorF16,  // the same in half precision
};

// The order of numbers in an image: interleaved, or a plane a channel.
enum class Layout : uint8_t { kNhwc, kNchw };

// A view into the request's message, which the job keeps alive. Sizes were checked against the model at the edge.
struct ImageSource {
  SourceKind kind = SourceKind::kEncoded;
  absl::Span<const std::byte> bytes;
  Layout layout = Layout::kNhwc;  // of numbers, as is their size
  int height = 0, width = 0;
  image::Header header = {};  // of a file
};

// Tells how an image was served. `batch_size` counts images, not the compiled size.
struct Execution {
  Duration queue{}, decode{}, infer{};
  uint64_t batch_id = 0;
  int batch_size = 0;
};

// The results of one image, by the model's outputs: empty where one was not wanted. They are views into a session.
using Outputs = absl::FunctionRef<absl::Span<const float>(OutputId)>;

// One admitted image. Exactly one of OnComputed(), OnFailed() and OnEnded() is called, once. Every job that the server
// gives its scheduler is one, and the workers rely on it.
class ImageJob : public scheduling::Job {
 public:
  virtual ImageSource source() const = 0;
  // The wanted ones of the model's outputs; at least one.
  virtual OutputSet wanted() const = 0;
  virtual Time admitted_at() const = 0;

  // Called by the worker's thread; `outputs` has all that is wanted(), and is valid during the call only. Must not
  // block.
  virtual void OnComputed(Outputs outputs, const Execution& execution) = 0;
  // The image was bad (INVALID_ARGUMENT) or the engine failed (INTERNAL).
  virtual void OnFailed(const absl::Status& status, const Execution& execution) = 0;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_COMPUTE_IMAGE_JOB_H_
