#include "server/golden_check.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/image/image.h"
#include "server/slot_view.h"

namespace resnetd::server {
namespace {

constexpr float kDefaultTolerance = 1e-3f;

absl::Status CheckOne(const v1::Golden& golden, float tolerance, absl::Span<const float> logits) {
  float largest = 0;
  for (const float expected : golden.logits()) largest = std::max(largest, std::abs(expected));
  for (int i = 0; i < golden.logits_size(); ++i) {
    // Written so that a NaN on either side is a difference.
    if (std::abs(logits[i] - golden.logits(i)) <= tolerance * largest) continue;
    return absl::FailedPreconditionError(absl::StrCat("golden image '", golden.name(),
                                                      "': expected the logit of class ", i, " to be ", golden.logits(i),
                                                      " within ", tolerance * largest, ", got ", logits[i]));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckGolden(const v1::GoldenSet& golden, const ModelInfo& info, const image::Recipe& recipe,
                         Session& session) {
  const float tolerance = golden.tolerance() > 0 ? golden.tolerance() : kDefaultTolerance;
  image::Preprocessor preprocessor;
  for (const v1::Golden& one : golden.golden()) {
    if (one.logits_size() != info.classes || info.classes == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("golden image '", one.name(), "': expected ", info.classes, " logits, got ", one.logits_size()));
    }
    const auto* bytes = reinterpret_cast<const std::byte*>(one.image().data());
    const absl::Status decoded =
        preprocessor.FromFile({bytes, one.image().size()}, recipe, ToTensorView(session.slot(0)));
    if (!decoded.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("golden image '", one.name(), "': ", decoded.message()));
    }
    if (const auto run = session.Run({.count = 1}); !run.ok()) return run.status();
    if (absl::Status s = CheckOne(one, tolerance, session.output(info.logits, 0)); !s.ok()) return s;
  }
  return absl::OkStatus();
}

}  // namespace resnetd::server
