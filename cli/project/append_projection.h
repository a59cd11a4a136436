#ifndef RESNETD_CLI_PROJECT_APPEND_PROJECTION_H_
#define RESNETD_CLI_PROJECT_APPEND_PROJECTION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/project/pca.h"

namespace resnetd::cli {

struct ProjectedModel {
  std::string onnx;                         // the file
  std::vector<std::string> external_files;  // names of the files beside it that hold weights, each once
};

// The model in `onnx` with a tensor `name` that is the projection of `tensor`, which holds one vector an image:
//
//   Flatten -> Gemm(W, -W mean)
//
// It is no output of the file: what the file yields stays what it was. INVALID_ARGUMENT: no model, no node yields
// `tensor`, or a name of what is added is taken.
absl::StatusOr<ProjectedModel> AppendProjection(const std::string& onnx, const std::string& tensor,
                                                const std::string& name, const Projection& projection);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_PROJECT_APPEND_PROJECTION_H_
