#ifndef RESNETD_SERVER_EDGE_REQUEST_H_
#define RESNETD_SERVER_EDGE_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/time.h"
#include "models/model.h"
#include "models/scores.h"
#include "server/compute/image_job.h"
#include "server/served_model.h"

// The values between the protocols and the scheduler: plain, and of no protocol.
namespace resnetd::server {

// Identifies a caller. Principals are numbers so that they cost nothing to carry and reach no metric as a name.
enum class PrincipalId : uint32_t { kAnonymous = 0 };

struct WantedLayer {
  const Layer* layer = nullptr;  // of the model
  const Space* space = nullptr;  // of the layer: how many values are kept
  absl::string_view name = {};   // as the request called it, in its message; the layer's own where it named none
};

struct EmbedOptions {
  bool l2_normalize = false;
  bool named = false;               // the request named the layers; else it wants the default one in the place of old
  std::vector<WantedLayer> layers;  // at least one
};

// An image that may be computed.
struct CheckedImage {
  ImageSource source;
  Duration prepare{};  // predicted cost of decoding it
};

// A request as a whole is valid: the model exists and can do what is asked. Its images answer for themselves.
struct ImageRequest {
  PrincipalId principal = PrincipalId::kAnonymous;  // on whose behalf
  ServedModel served;
  std::optional<ClassifyOptions> classify;  // classes are wanted
  std::optional<EmbedOptions> embed;        // embeddings are wanted
  std::vector<absl::StatusOr<CheckedImage>> images;
  std::shared_ptr<const void> message;  // owns what the sources point into
};

// One image's answer.
struct ImageAnswer {
  absl::Status status;
  std::vector<ScoredClass> classes;
  std::vector<std::vector<float>> embeddings;  // one a wanted layer
  Execution execution;
  Duration total{};  // from the call's arrival to the image's answer
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_REQUEST_H_
