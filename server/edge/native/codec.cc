// resnetd.v1.InferenceService in bytes. Classify, Embed and Predict differ in their message types and in nothing else
// that the compiler cannot choose by overload, so they share one template; their streaming twins wrap each answer in an
// envelope with a place for an error.
//
// A request is parsed into an arena that lives until its answer; an answer is built in an arena of its own.
#include "server/edge/native/codec.h"

#include <google/protobuf/arena.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/time.h"
#include "resnetd/v1/inference.pb.h"
#include "server/edge/edge.h"
#include "server/edge/error.h"
#include "server/edge/native/models.h"
#include "server/edge/native/request.h"

namespace resnetd::server {
namespace {

// Fields an honest image has on the wire, its shape's bytes and a few unknown ones included, and a request beside them.
constexpr int kFieldsAnImage = 32;
constexpr int kFieldsARequest = 1024;
// Field numbers of ClassifyRequest.images (its siblings' too), Image.tensor and Tensor.shape.
constexpr int kImages = 3, kTensor = 2, kShape = 2;

void WriteClasses(const ImageRequest& request, const ImageAnswer& answer,
                  google::protobuf::RepeatedPtrField<v1::Class>& out) {
  const std::vector<std::string>& labels = request.served.model->heads[request.classify->head].labels;
  for (const ScoredClass& scored : answer.classes) {
    v1::Class* c = out.Add();
    c->set_index(scored.index);
    c->set_score(scored.score);
    if (static_cast<size_t>(scored.index) < labels.size()) c->set_label(labels[static_cast<size_t>(scored.index)]);
  }
}

// Writes to an EmbedResult or PredictResult.
template <typename Result>
void WriteEmbeddings(const EmbedOptions& wanted, const ImageAnswer& answer, Result& out) {
  for (size_t i = 0; i < wanted.layers.size(); ++i) {
    const auto& [layer, space, name] = wanted.layers[i];
    const std::vector<float>& values = answer.embeddings[i];
    const std::string& id = wanted.l2_normalize ? space->normalized : space->plain;
    if (!wanted.named) {
      out.mutable_embedding()->Add(values.begin(), values.end());
      out.set_embedding_space(id);
      continue;
    }
    v1::LayerEmbedding* of_layer = out.add_layers();
    of_layer->set_layer(std::string(name));
    of_layer->mutable_values()->Add(values.begin(), values.end());
    of_layer->set_embedding_space(id);
  }
}

void WriteOutputs(const ImageRequest& request, const ImageAnswer& answer, v1::ClassifyResult& out) {
  WriteClasses(request, answer, *out.mutable_classes());
}

void WriteOutputs(const ImageRequest& request, const ImageAnswer& answer, v1::EmbedResult& out) {
  WriteEmbeddings(*request.embed, answer, out);
}

void WriteOutputs(const ImageRequest& request, const ImageAnswer& answer, v1::PredictResult& out) {
  WriteClasses(request, answer, *out.mutable_classes());
  WriteEmbeddings(*request.embed, answer, out);
}

void WriteExecution(const ImageAnswer& answer, v1::Execution& out) {
  out.set_queue_seconds(Seconds(answer.execution.queue));
  out.set_decode_seconds(Seconds(answer.execution.decode));
  out.set_infer_seconds(Seconds(answer.execution.infer));
  out.set_total_seconds(Seconds(answer.total));
  out.set_batch_id(answer.execution.batch_id);
  out.set_batch_size(answer.execution.batch_size);
}

template <typename Response>
void WriteResponse(const ImageRequest& request, absl::Span<const ImageAnswer> answers, Response& out) {
  out.set_model(request.served.model->name);
  out.set_model_version(request.served.model->version);
  out.set_recipe_id(request.served.model->recipe_id);
  out.set_recipe_hash(request.served.model->recipe_hash);
  for (const ImageAnswer& answer : answers) {
    auto* result = out.add_results();
    if (answer.status.ok()) {
      WriteOutputs(request, answer, *result);
    } else {
      ToProto(answer.status, *result->mutable_status());
    }
    WriteExecution(answer, *result->mutable_execution());
  }
}

// A message and the arena it lives in.
template <typename Message>
struct Parsed {
  google::protobuf::Arena arena;
  Message* message = google::protobuf::Arena::CreateMessage<Message>(&arena);
};

template <typename Message>
absl::StatusOr<std::shared_ptr<const Parsed<Message>>> Parse(RequestBytes& bytes, int max_fields,
                                                             absl::string_view size) {
  auto parsed = std::make_shared<Parsed<Message>>();
  if (FieldsWithin(*bytes.Open(), {kImages, kTensor, kShape}, max_fields) &&
      parsed->message->ParseFromZeroCopyStream(bytes.Open().get())) {
    return parsed;
  }
  return FieldError("request",
                    absl::StrCat("expected a ", Message::descriptor()->full_name(), size, ", got ", bytes.size(),
                                 " bytes that are not one"),
                    reason::kMalformedMessage);
}

// Envelope: the streams' response message; a unary method's Envelope is its Response.
template <typename Request, typename Response, typename Envelope>
class InferenceCodec final : public Codec {
 public:
  InferenceCodec(const ModelRepository& models, const RequestLimits& limits) : models_(models), limits_(limits) {}

  absl::StatusOr<Decoded> Decode(RequestBytes& bytes) const override {
    RESNETD_ASSIGN_OR_RETURN(const auto parsed,
                             Parse<Request>(bytes, kFieldsAnImage * limits_.max_images + kFieldsARequest,
                                            absl::StrCat(" of at most ", limits_.max_images, " images")));
    const Request& message = *parsed->message;

    RESNETD_ASSIGN_OR_RETURN(ServedModel model, FindModel(models_, message.model(), message.model_version()));
    ImageRequest request;
    request.served = std::move(model);
    RESNETD_RETURN_IF_ERROR(CheckWanted(message, limits_, request));
    RESNETD_ASSIGN_OR_RETURN(auto images, CheckImages(message.images(), *request.served.model, limits_));
    request.images = std::move(images);
    request.message = parsed;
    return request;
  }

  std::string Encode(const ImageRequest& request, absl::Span<const ImageAnswer> answers) const override {
    google::protobuf::Arena arena;
    auto* envelope = google::protobuf::Arena::CreateMessage<Envelope>(&arena);
    if constexpr (std::is_same_v<Envelope, Response>) {
      WriteResponse(request, answers, *envelope);
    } else {
      WriteResponse(request, answers, *envelope->mutable_response());
    }
    return envelope->SerializeAsString();
  }

  std::string FieldOf(SourceKind kind, size_t image) const override {
    return absl::StrCat("images[", image, kind == SourceKind::kEncoded ? "].encoded" : "].tensor.data");
  }

  std::string EncodeError([[maybe_unused]] const absl::Status& error) const override {
    Envelope envelope;
    if constexpr (!std::is_same_v<Envelope, Response>) ToProto(error, *envelope.mutable_error());
    return envelope.SerializeAsString();
  }

 private:
  const ModelRepository& models_;
  const RequestLimits limits_;
};

// ListModels and GetModel: answered while decoding.
template <typename Request>
class ModelCodec final : public Codec {
 public:
  explicit ModelCodec(const ModelRepository& models) : models_(models) {}

  absl::StatusOr<Decoded> Decode(RequestBytes& bytes) const override {
    RESNETD_ASSIGN_OR_RETURN(const auto parsed, Parse<Request>(bytes, kFieldsARequest, ""));
    return AnswerModels(models_, *parsed->message);
  }
  std::string Encode(const ImageRequest&, absl::Span<const ImageAnswer>) const override { return {}; }
  std::string FieldOf(SourceKind, size_t) const override { return {}; }
  std::string EncodeError(const absl::Status&) const override { return {}; }

 private:
  const ModelRepository& models_;
};

}  // namespace

Protocol NativeProtocol(const ModelRepository& models, const EdgeOptions& options) {
  using Classify = InferenceCodec<v1::ClassifyRequest, v1::ClassifyResponse, v1::ClassifyResponse>;
  using Embed = InferenceCodec<v1::EmbedRequest, v1::EmbedResponse, v1::EmbedResponse>;
  using Predict = InferenceCodec<v1::PredictRequest, v1::PredictResponse, v1::PredictResponse>;
  using ClassifyStream = InferenceCodec<v1::ClassifyRequest, v1::ClassifyResponse, v1::ClassifyStreamResponse>;
  using EmbedStream = InferenceCodec<v1::EmbedRequest, v1::EmbedResponse, v1::EmbedStreamResponse>;
  const RequestLimits limits{options.max_images_per_request, options.max_message_bytes, options.image_limits};
  Protocol protocol{.service = "resnetd.v1.InferenceService", .methods = {}};
  protocol.methods.push_back({"Classify", false, std::make_unique<Classify>(models, limits)});
  protocol.methods.push_back({"Embed", false, std::make_unique<Embed>(models, limits)});
  protocol.methods.push_back({"Predict", false, std::make_unique<Predict>(models, limits)});
  protocol.methods.push_back({"ClassifyStream", true, std::make_unique<ClassifyStream>(models, limits)});
  protocol.methods.push_back({"EmbedStream", true, std::make_unique<EmbedStream>(models, limits)});
  protocol.methods.push_back(
      {"ListModels", false, std::make_unique<ModelCodec<v1::ListModelsRequest>>(models), nullptr, false});
  protocol.methods.push_back(
      {"GetModel", false, std::make_unique<ModelCodec<v1::GetModelRequest>>(models), nullptr, false});
  return protocol;
}

}  // namespace resnetd::server
