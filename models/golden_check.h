#ifndef RESNETD_MODELS_GOLDEN_CHECK_H_
#define RESNETD_MODELS_GOLDEN_CHECK_H_

#include "absl/status/status.h"
#include "engine/engine.h"
#include "models/runner.h"
#include "resnetd/v1/model_config.pb.h"

namespace resnetd {

// Decodes and computes the golden images with `runner`, one of an engine described by `info`, and compares their
// logits and embedding, whichever the set holds, all within the set's tolerance times the largest |value| of either:
// preprocessing and network are checked together. FAILED_PRECONDITION names the image, the class, what was expected and
// what came; INVALID_ARGUMENT: an image that cannot be decoded, or another number of values.
absl::Status CheckGolden(const v1::GoldenSet& golden, const ModelInfo& info, Runner& runner);

}  // namespace resnetd

#endif  // RESNETD_MODELS_GOLDEN_CHECK_H_
