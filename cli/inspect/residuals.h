#ifndef RESNETD_CLI_INSPECT_RESIDUALS_H_
#define RESNETD_CLI_INSPECT_RESIDUALS_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/model_file.h"
#include "engine/engine.h"
#include "engine/inspect/inspect.h"

namespace resnetd::cli {

// L2 norms over all elements of one image's tensors.
struct UnitNorms {
  double input = 0, branch = 0;  // |x|, |F(x)|
};

// Names the place of a unit's plus: "sum in place" (the convolution adds to the shortcut's buffer), "binary post-op"
// (it reads the shortcut as a further operand), "a step of its own", or "-" where there is none.
std::string PlaceOfPlus(const ResidualUnit& unit, const std::vector<StepInfo>& steps);

// Computes the image in the file at `image_path`, prepared as the model's config says, with x and F(x) of every unit as
// outputs; as an engine has a limited number of these, it is loaded as often as needed. One entry a unit, nothing for
// one without a plus and for one whose x is the image. `progress` is told the number of units so far. INVALID_ARGUMENT
// or NOT_FOUND: the image or the config.
absl::StatusOr<std::vector<std::optional<UnitNorms>>> MeasureUnits(const ModelFile& model,
                                                                   const std::vector<ResidualUnit>& units,
                                                                   const std::string& image_path, int threads,
                                                                   const std::function<void(size_t)>& progress);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_INSPECT_RESIDUALS_H_
