// Checks go from the request as a whole (how many images, options) to each image, which fails alone.
#include "server/edge/native_request.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "resnetd/v1/inference.pb.h"
#include "server/edge/error.h"
#include "server/edge/image_check.h"

namespace resnetd::server {
namespace {

constexpr int kDefaultTopK = 5;

absl::Span<const std::byte> Bytes(const std::string& s) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(s.data()), s.size());
}

absl::StatusOr<CheckedImage> CheckImage(const v1::Image& image, absl::string_view field, const ModelInfo& model,
                                        const image::Limits& limits) {
  switch (image.source_case()) {
    case v1::Image::kEncoded:
      return CheckEncoded(Bytes(image.encoded()), absl::StrCat(field, ".encoded"), limits);
    case v1::Image::kTensor: {
      const v1::Tensor& tensor = image.tensor();
      const std::string path = absl::StrCat(field, ".tensor");
      const absl::Span<const int32_t> shape(tensor.shape().data(), static_cast<size_t>(tensor.shape_size()));
      if (tensor.type() == v1::Tensor::UINT8) {
        return CheckTensor(SourceKind::kPixelsU8, shape, Bytes(tensor.data()), path, model);
      }
      if (tensor.type() == v1::Tensor::FLOAT32) {
        return CheckTensor(SourceKind::kTensorF32, shape, Bytes(tensor.data()), path, model);
      }
      const std::string& name = v1::Tensor::Type_Name(tensor.type());
      return FieldError(absl::StrCat(path, ".type"),
                        absl::StrCat("expected UINT8 or FLOAT32, got ",
                                     name.empty() ? absl::StrCat(static_cast<int>(tensor.type())) : name));
    }
    case v1::Image::SOURCE_NOT_SET:
      break;
  }
  return FieldError(field, "expected `encoded` or `tensor`, got neither");
}

absl::Status NoSuchOutput(const Model& model, absl::string_view output) {
  return Error(absl::StatusCode::kFailedPrecondition, reason::kNoSuchOutput,
               absl::StrCat("model \"", model.name, "\" has no ", output), {{"model", model.name}});
}

absl::StatusOr<EmbedOptions> CheckEmbed(const v1::EmbedOptions& options, const Model& model) {
  if (model.engine->info().features == 0) return NoSuchOutput(model, "embedding");
  return EmbedOptions{options.l2_normalize()};
}

}  // namespace

absl::StatusOr<ClassifyOptions> CheckClassify(const v1::ClassifyOptions& options, absl::string_view field,
                                              const Model& model) {
  const int classes = model.engine->info().classes;
  if (classes == 0) return NoSuchOutput(model, "classifier");
  if (options.top_k() < 0 || options.top_k() > classes) {
    return FieldError(absl::StrCat(field, ".top_k"),
                      absl::StrCat("expected 1 to ", classes, " (the classes of model \"", model.name,
                                   "\") or 0 for the default, got ", options.top_k()));
  }
  if (options.scores() != v1::ClassifyOptions::PROBABILITIES && options.scores() != v1::ClassifyOptions::LOGITS) {
    return FieldError(absl::StrCat(field, ".scores"),
                      absl::StrCat("expected PROBABILITIES or LOGITS, got ", static_cast<int>(options.scores())));
  }
  if (options.has_threshold() && !std::isfinite(options.threshold())) {
    return FieldError(absl::StrCat(field, ".threshold"),
                      absl::StrCat("expected a finite number, got ", options.threshold()));
  }
  ClassifyOptions checked;
  checked.top_k = options.top_k() > 0 ? options.top_k() : std::min(kDefaultTopK, classes);
  checked.logits = options.scores() == v1::ClassifyOptions::LOGITS;
  if (options.has_threshold()) checked.threshold = options.threshold();
  return checked;
}

absl::StatusOr<std::vector<absl::StatusOr<CheckedImage>>> CheckImages(
    const google::protobuf::RepeatedPtrField<v1::Image>& images, const ModelInfo& model, const RequestLimits& limits) {
  if (images.empty() || images.size() > limits.max_images) {
    return FieldError("images", absl::StrCat("expected 1 to ", limits.max_images,
                                             " images (--max-images-per-request), got ", images.size()));
  }
  std::vector<absl::StatusOr<CheckedImage>> checked;
  checked.reserve(static_cast<size_t>(images.size()));
  for (int i = 0; i < images.size(); ++i) {
    checked.push_back(CheckImage(images[i], absl::StrCat("images[", i, "]"), model, limits.image));
  }
  return checked;
}

absl::Status CheckWanted(const v1::ClassifyRequest& request, ImageRequest& out) {
  absl::StatusOr<ClassifyOptions> classify = CheckClassify(request.options(), "options", *out.model);
  if (classify.ok()) out.classify = *classify;
  return classify.status();
}

absl::Status CheckWanted(const v1::EmbedRequest& request, ImageRequest& out) {
  absl::StatusOr<EmbedOptions> embed = CheckEmbed(request.options(), *out.model);
  if (embed.ok()) out.embed = *embed;
  return embed.status();
}

absl::Status CheckWanted(const v1::PredictRequest& request, ImageRequest& out) {
  absl::StatusOr<ClassifyOptions> classify = CheckClassify(request.classify(), "classify", *out.model);
  if (!classify.ok()) return classify.status();
  absl::StatusOr<EmbedOptions> embed = CheckEmbed(request.embed(), *out.model);
  if (!embed.ok()) return embed.status();
  out.classify = *classify;
  out.embed = *embed;
  return absl::OkStatus();
}

}  // namespace resnetd::server
