#include "models/golden_check.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"

namespace resnetd {
namespace {

constexpr float kDefaultTolerance = 1e-3f;

// `what`: of each value, "the logit of class".
absl::Status Compare(const v1::Golden& golden, const google::protobuf::RepeatedField<float>& expected,
                     absl::Span<const float> got, float tolerance, absl::string_view what) {
  float largest = 0;
  for (const float value : expected) largest = std::max(largest, std::abs(value));
  for (int i = 0; i < expected.size(); ++i) {
    // Written so that a NaN on either side is a difference.
    if (std::abs(got[static_cast<size_t>(i)] - expected[i]) <= tolerance * largest) continue;
    return absl::FailedPreconditionError(absl::StrCat("golden image ", Quoted(golden.name()), ": expected ", what, " ",
                                                      i, " to be ", expected[i], " within ", tolerance * largest,
                                                      ", got ", got[static_cast<size_t>(i)]));
  }
  return absl::OkStatus();
}

// Empty values are not checked; an image with neither kind would make a check that cannot fail.
absl::Status CheckSizes(const v1::Golden& golden, const ModelInfo& info) {
  const auto fault = [&](absl::string_view what, int expected, int got) {
    return absl::InvalidArgumentError(
        absl::StrCat("golden image ", Quoted(golden.name()), ": expected ", expected, what, ", got ", got));
  };
  const int logits = golden.logits_size(), embedding = golden.embedding_size();
  if (logits != info.classes && (logits > 0 || embedding == 0)) return fault(" logits", info.classes, logits);
  if (embedding != info.features && (embedding > 0 || logits == 0)) {
    return fault(" values of the embedding", info.features, embedding);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckGolden(const v1::GoldenSet& golden, const ModelInfo& info, Runner& runner) {
  const float tolerance = golden.tolerance() > 0 ? golden.tolerance() : kDefaultTolerance;
  for (const v1::Golden& one : golden.golden()) {
    RESNETD_RETURN_IF_ERROR(CheckSizes(one, info));
    if (const absl::Status decoded = runner.Decode(absl::string_view(one.image()), 0); !decoded.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("golden image ", Quoted(one.name()), ": ", decoded.message()));
    }
    RESNETD_RETURN_IF_ERROR(runner.Run({.count = 1}).status());
    const absl::Span<const float> logits = runner.output(info.logits, 0);
    RESNETD_RETURN_IF_ERROR(Compare(one, one.logits(), logits, tolerance, "the logit of class"));
    const absl::Span<const float> embedding = runner.output(info.embedding, 0);
    RESNETD_RETURN_IF_ERROR(Compare(one, one.embedding(), embedding, tolerance, "the embedding's value"));
  }
  return absl::OkStatus();
}

}  // namespace resnetd
