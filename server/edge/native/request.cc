// Checks go from the request as a whole (how many images, options) to each image, which fails alone.
#include "server/edge/native/request.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "models/outputs.h"
#include "resnetd/v1/inference.pb.h"
#include "server/edge/error.h"
#include "server/edge/image_check.h"
#include "server/model_repository.h"

namespace resnetd::server {
namespace {

constexpr int kDefaultTopK = 5;

absl::Span<const std::byte> Bytes(const std::string& s) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(s.data()), s.size());
}

std::string TypeText(v1::Tensor::Type type) {
  const std::string& name = v1::Tensor::Type_Name(type);
  return name.empty() ? absl::StrCat(static_cast<int>(type)) : name;
}

absl::StatusOr<RawImage> ReadTensor(const v1::Tensor& tensor, absl::string_view field) {
  RawImage raw{.shape = {tensor.shape().data(), static_cast<size_t>(tensor.shape_size())},
               .data = Bytes(tensor.data())};
  switch (tensor.type()) {
    case v1::Tensor::UINT8:
      raw.kind = SourceKind::kPixelsU8;
      break;
    case v1::Tensor::FLOAT32:
      raw.kind = SourceKind::kTensorF32;
      break;
    case v1::Tensor::FLOAT16:
      raw.kind = SourceKind::kTensorF16;
      break;
    default:
      return FieldError(absl::StrCat(field, ".type"),
                        absl::StrCat("expected UINT8, FLOAT32 or FLOAT16, got ", TypeText(tensor.type())));
  }
  switch (tensor.layout()) {
    case v1::Tensor::LAYOUT_UNSPECIFIED:
      raw.layout = raw.kind == SourceKind::kPixelsU8 ? Layout::kNhwc : Layout::kNchw;
      break;
    case v1::Tensor::NHWC:
      raw.layout = Layout::kNhwc;
      break;
    case v1::Tensor::NCHW:
      raw.layout = Layout::kNchw;
      break;
    default:
      return FieldError(absl::StrCat(field, ".layout"),
                        absl::StrCat("expected NHWC or NCHW, got ", static_cast<int>(tensor.layout())));
  }
  return raw;
}

absl::StatusOr<CheckedImage> CheckImage(const v1::Image& image, absl::string_view field, const Model& model,
                                        const image::Limits& limits) {
  switch (image.source_case()) {
    case v1::Image::kEncoded:
      return CheckEncoded(Bytes(image.encoded()), absl::StrCat(field, ".encoded"), model, limits);
    case v1::Image::kTensor: {
      const std::string path = absl::StrCat(field, ".tensor");
      RESNETD_ASSIGN_OR_RETURN(const RawImage raw, ReadTensor(image.tensor(), path));
      return CheckTensor(raw, path, model, limits);
    }
    case v1::Image::SOURCE_NOT_SET:
      break;
  }
  return FieldError(field, "expected `encoded` or `tensor`, got neither");
}

absl::Status NoSuchOutput(const Model& model, absl::string_view output, absl::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, reason::kNoSuchOutput,
               absl::StrCat("model \"", Echo(model.name), "\" has no ", output, why.empty() ? "" : ": ", why),
               {{"model", model.name}});
}

absl::Status NoClasses(const Model& model, const Head& head) {
  return Error(absl::StatusCode::kFailedPrecondition, reason::kNotAClassifier,
               absl::StrCat("head ", Quoted(head.name), " of model \"", Echo(model.name),
                            "\" is one value and no class: ask for scores LOGITS, which gives it as it is, or say \"",
                            head.sigmoid_line, "\" in the model's config.textproto if it is the score of a yes or no"),
               {{"model", model.name}, {"head", head.name}});
}

// 'a', 'b'
template <typename Named>
std::string NamesOf(const std::vector<Named>& all) {
  std::vector<absl::string_view> names;
  for (const Named& one : all) names.push_back(one.name);
  return QuotedList(names);
}

// Finds a layer by its own name or what the file calls it.
const Layer* FindLayer(absl::string_view name, const Model& model) {
  const OutputId id = FindOutput(model.engine->info(), name);
  return id == kNoOutput ? nullptr : &model.layers[static_cast<size_t>(id)];
}

// Index of the head asked for, of a model that has some.
absl::StatusOr<size_t> HeadIndex(const std::string& name, absl::string_view field, const Model& model) {
  if (name.empty()) return 0;
  if (const Head* head = FindHead(model.heads, model.engine->info(), name)) {
    return static_cast<size_t>(head - model.heads.data());
  }
  return FieldError(absl::StrCat(field, ".head"),
                    absl::StrCat("expected one of ", NamesOf(model.heads), " (the heads of model \"", Echo(model.name),
                                 "\"), got ", Quoted(name)));
}

// The layers by name, each once; the default where none is named.
absl::StatusOr<std::vector<const Layer*>> FindLayers(const v1::EmbedOptions& options, absl::string_view field,
                                                     const Model& model) {
  std::vector<const Layer*> layers;
  for (int i = 0; i < options.layers_size(); ++i) {
    const std::string path = absl::StrCat(field, ".layers[", i, "]");
    const Layer* layer = FindLayer(options.layers(i), model);
    if (layer == nullptr) {
      return FieldError(path, absl::StrCat("expected one of ", NamesOf(model.layers), " (the layers of model \"",
                                           Echo(model.name), "\"), got ", Quoted(options.layers(i))));
    }
    if (std::find(layers.begin(), layers.end(), layer) != layers.end()) {
      return FieldError(path, absl::StrCat("expected each layer once, got ", Quoted(layer->name), " again"));
    }
    layers.push_back(layer);
  }
  if (layers.empty()) {
    const OutputId pool = model.engine->info().embedding;
    if (pool == kNoOutput) return NoSuchOutput(model, "embedding", "");
    layers.push_back(&model.layers[static_cast<size_t>(pool)]);
  }
  return layers;
}

absl::StatusOr<const Space*> FindSpace(const Layer& layer, int dimensions, absl::string_view field) {
  if (dimensions == 0) return &layer.spaces.front();
  for (const Space& space : layer.spaces) {
    if (space.dimensions == dimensions) return &space;
  }
  const std::string allowed = absl::StrJoin(
      layer.spaces, ", ", [](std::string* out, const Space& space) { absl::StrAppend(out, space.dimensions); });
  return FieldError(absl::StrCat(field, ".dimensions"),
                    absl::StrCat("expected 0 or one of ", allowed, " (what layer ", Quoted(layer.name),
                                 " may be cut to is in the model's config: truncatable), got ", dimensions));
}

absl::Status CheckSpaces(const v1::EmbedOptions& options, absl::string_view field, const Model& model,
                         const EmbedOptions& checked) {
  const auto given = static_cast<size_t>(options.require_space_size());
  if (given != 0 && given != checked.layers.size()) {
    return FieldError(
        absl::StrCat(field, ".require_space"),
        absl::StrCat("expected none, or one for each of ", checked.layers.size(), " layers, got ", given));
  }
  for (size_t i = 0; i < given; ++i) {
    const auto& [layer, space, name] = checked.layers[i];
    const std::string& required = options.require_space(static_cast<int>(i));
    const std::string& actual = checked.l2_normalize ? space->normalized : space->plain;
    if (required == actual) continue;
    return Error(absl::StatusCode::kFailedPrecondition, reason::kOtherSpace,
                 absl::StrCat(field, ".require_space[", i, "]: expected embedding space ", Quoted(required), ", layer ",
                              Quoted(layer->name), " of model \"", Echo(model.name), "\" is in ", Quoted(actual)),
                 {{"model", model.name}, {"layer", layer->name}, {"expected", required}, {"actual", actual}});
  }
  return absl::OkStatus();
}

// Layers inside the network are large: a few in a request of many images are more than anybody wants in one message.
absl::Status CheckAnswerSize(const EmbedOptions& checked, absl::string_view field, int images, size_t max_bytes) {
  size_t values = 0;
  for (const WantedLayer& wanted : checked.layers) values += static_cast<size_t>(wanted.space->dimensions);
  const size_t bytes = values * sizeof(float) * static_cast<size_t>(images);
  if (bytes <= max_bytes) return absl::OkStatus();
  return FieldError(absl::StrCat(field, ".layers"),
                    absl::StrCat("expected embeddings of at most ", max_bytes, " bytes (--max-message-bytes), got ",
                                 images, " images of ", values, " values, ", bytes, " bytes"));
}

}  // namespace

absl::StatusOr<ServedModel> FindModel(const ModelRepository& models, absl::string_view name,
                                      absl::string_view version) {
  absl::StatusOr<ServedModel> model = models.Find(name, version);
  if (model.ok()) return model;
  const absl::Status& why = model.status();
  if (why.code() == absl::StatusCode::kInvalidArgument) return FieldError("model", why.message());
  return Error(why.code(), why.code() == absl::StatusCode::kNotFound ? reason::kModelNotFound : reason::kModelNotReady,
               why.message(), {{"model", std::string(name)}, {"version", std::string(version)}});
}

absl::StatusOr<ClassifyOptions> CheckClassify(const v1::ClassifyOptions& options, absl::string_view field,
                                              const Model& model) {
  if (model.heads.empty()) return NoSuchOutput(model, "classifier", model.no_classifier);
  ClassifyOptions checked;
  RESNETD_ASSIGN_OR_RETURN(checked.head, HeadIndex(options.head(), field, model));
  const Head& head = model.heads[checked.head];
  const int classes = head.classes;
  if (options.top_k() < 0) {
    return FieldError(
        absl::StrCat(field, ".top_k"),
        absl::StrCat("expected 1 to ", classes, " (the classes of head ", Quoted(head.name), " of model \"",
                     Echo(model.name), "\"), more for all of them or 0 for the default, got ", options.top_k()));
  }
  if (options.scores() != v1::ClassifyOptions::PROBABILITIES && options.scores() != v1::ClassifyOptions::LOGITS) {
    return FieldError(absl::StrCat(field, ".scores"),
                      absl::StrCat("expected PROBABILITIES or LOGITS, got ", static_cast<int>(options.scores())));
  }
  if (options.has_threshold() && !std::isfinite(options.threshold())) {
    return FieldError(absl::StrCat(field, ".threshold"),
                      absl::StrCat("expected a finite number, got ", options.threshold()));
  }
  const int default_top_k = head.thresholds.empty() ? std::min(kDefaultTopK, classes) : classes;
  checked.top_k = options.top_k() > 0 ? std::min(options.top_k(), classes) : default_top_k;
  checked.logits = options.scores() == v1::ClassifyOptions::LOGITS;
  if (head.is_value() && !checked.logits) return NoClasses(model, head);
  if (options.has_threshold()) checked.threshold = options.threshold();
  return checked;
}

absl::StatusOr<std::vector<absl::StatusOr<CheckedImage>>> CheckImages(
    const google::protobuf::RepeatedPtrField<v1::Image>& images, const Model& model, const RequestLimits& limits) {
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

absl::StatusOr<EmbedOptions> CheckEmbed(const v1::EmbedOptions& options, absl::string_view field, const Model& model,
                                        int images, const RequestLimits& limits) {
  EmbedOptions checked;
  checked.l2_normalize = options.l2_normalize();
  checked.named = options.layers_size() > 0;
  RESNETD_ASSIGN_OR_RETURN(const std::vector<const Layer*> layers, FindLayers(options, field, model));
  for (size_t i = 0; i < layers.size(); ++i) {
    RESNETD_ASSIGN_OR_RETURN(const Space* space, FindSpace(*layers[i], options.dimensions(), field));
    const absl::string_view name = checked.named ? options.layers(static_cast<int>(i)) : layers[i]->name;
    checked.layers.push_back({layers[i], space, name});
  }
  RESNETD_RETURN_IF_ERROR(CheckSpaces(options, field, model, checked));
  // More images are an error of their own.
  RESNETD_RETURN_IF_ERROR(
      CheckAnswerSize(checked, field, std::min(images, limits.max_images), limits.max_answer_bytes));
  return checked;
}

absl::Status CheckWanted(const v1::ClassifyRequest& request, const RequestLimits&, ImageRequest& out) {
  RESNETD_ASSIGN_OR_RETURN(out.classify, CheckClassify(request.options(), "options", *out.served.model));
  return absl::OkStatus();
}

absl::Status CheckWanted(const v1::EmbedRequest& request, const RequestLimits& limits, ImageRequest& out) {
  RESNETD_ASSIGN_OR_RETURN(out.embed,
                           CheckEmbed(request.options(), "options", *out.served.model, request.images_size(), limits));
  return absl::OkStatus();
}

absl::Status CheckWanted(const v1::PredictRequest& request, const RequestLimits& limits, ImageRequest& out) {
  RESNETD_ASSIGN_OR_RETURN(out.classify, CheckClassify(request.classify(), "classify", *out.served.model));
  RESNETD_ASSIGN_OR_RETURN(out.embed,
                           CheckEmbed(request.embed(), "embed", *out.served.model, request.images_size(), limits));
  return absl::OkStatus();
}

}  // namespace resnetd::server
