#ifndef RESNETD_SERVER_EDGE_NATIVE_MODELS_H_
#define RESNETD_SERVER_EDGE_NATIVE_MODELS_H_

#include <string>

#include "absl/status/statusor.h"

namespace resnetd::v1 {
class GetModelRequest;
class ListModelsRequest;
}  // namespace resnetd::v1

namespace resnetd::server {

class ModelRepository;

// The serialised answers of the methods that tell about models.
absl::StatusOr<std::string> AnswerModels(const ModelRepository& models, const v1::ListModelsRequest& request);
absl::StatusOr<std::string> AnswerModels(const ModelRepository& models, const v1::GetModelRequest& request);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_NATIVE_MODELS_H_
