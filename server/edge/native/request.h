#ifndef RESNETD_SERVER_EDGE_NATIVE_REQUEST_H_
#define RESNETD_SERVER_EDGE_NATIVE_REQUEST_H_

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/image/image.h"
#include "server/edge/codec.h"

namespace google::protobuf {
template <typename T>
class RepeatedPtrField;
}
namespace resnetd::v1 {
class ClassifyOptions;
class ClassifyRequest;
class EmbedOptions;
class EmbedRequest;
class Image;
class PredictRequest;
}  // namespace resnetd::v1

// The checks of the native API's requests: messages in, domain values or FieldErrors out.
namespace resnetd::server {

class ModelRepository;

struct RequestLimits {
  int max_images = 64;
  size_t max_answer_bytes = size_t{16} << 20;  // of the embeddings of all images
  image::Limits image{};
};

// The model a request means; empty strings stand for the only one. NOT_FOUND lists what is served.
absl::StatusOr<ServedModel> FindModel(const ModelRepository& models, absl::string_view name, absl::string_view version);

// INVALID_ARGUMENT names "<field>.head", "<field>.top_k", "<field>.scores" or "<field>.threshold"; FAILED_PRECONDITION:
// the model has no classifier.
absl::StatusOr<ClassifyOptions> CheckClassify(const v1::ClassifyOptions& options, absl::string_view field,
                                              const Model& model);

// One result an image, in order. INVALID_ARGUMENT if there are none or too many.
absl::StatusOr<std::vector<absl::StatusOr<CheckedImage>>> CheckImages(
    const google::protobuf::RepeatedPtrField<v1::Image>& images, const Model& model, const RequestLimits& limits);

// `images`: of the request. INVALID_ARGUMENT names "<field>.layers", "<field>.dimensions" or "<field>.require_space";
// FAILED_PRECONDITION: a vector would be in another space than the one required.
absl::StatusOr<EmbedOptions> CheckEmbed(const v1::EmbedOptions& options, absl::string_view field, const Model& model,
                                        int images, const RequestLimits& limits);

// Reads what the request wants into `out`, whose model is set.
absl::Status CheckWanted(const v1::ClassifyRequest& request, const RequestLimits& limits, ImageRequest& out);
absl::Status CheckWanted(const v1::EmbedRequest& request, const RequestLimits& limits, ImageRequest& out);
absl::Status CheckWanted(const v1::PredictRequest& request, const RequestLimits& limits, ImageRequest& out);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_NATIVE_REQUEST_H_
