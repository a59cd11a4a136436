#ifndef RESNETD_SERVER_EDGE_NATIVE_MODELS_H_
#define RESNETD_SERVER_EDGE_NATIVE_MODELS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/model.h"
#include "server/served_model.h"

namespace resnetd::v1 {
class GetModelRequest;
class ListModelsRequest;
}  // namespace resnetd::v1

namespace resnetd::server {

class ModelRepository;

// The model a request means; empty strings stand for the only one. NOT_FOUND lists what is served.
absl::StatusOr<ServedModel> FindModel(const ModelRepository& models, absl::string_view name, absl::string_view version);

// The serialised answers of the methods that tell about models.
absl::StatusOr<std::string> AnswerModels(const ModelRepository& models, const v1::ListModelsRequest& request);
absl::StatusOr<std::string> AnswerModels(const ModelRepository& models, const v1::GetModelRequest& request);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_NATIVE_MODELS_H_
