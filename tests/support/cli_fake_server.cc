#include "tests/support/cli_fake_server.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/cli.h"
#include "google/rpc/error_details.pb.h"

namespace resnetd::cli {
namespace {

google::rpc::Status Error(grpc::StatusCode code, const std::string& reason, const std::string& message) {
  google::rpc::Status status;
  status.set_code(code);
  status.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  status.add_details()->PackFrom(info);
  return status;
}

google::rpc::Status FailureOf(const std::string& image) {
  if (image == "broken") return Error(grpc::StatusCode::INTERNAL, "ENGINE", "the engine broke");
  return Error(grpc::StatusCode::INVALID_ARGUMENT, "BAD_IMAGE", "images: expected JPEG or PNG, got 3 bytes of text");
}

grpc::Status AsCall(const google::rpc::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), status.message(), status.SerializeAsString()};
}

}  // namespace

grpc::Status FakeRefusal(grpc::ServerContext& call, grpc::StatusCode code, const std::string& reason,
                         const std::string& pushback_ms) {
  if (!pushback_ms.empty()) call.AddTrailingMetadata("grpc-retry-pushback-ms", pushback_ms);
  return AsCall(Error(code, reason, "refused"));
}

template <typename Request, typename Response, typename Fill>
grpc::Status FakeInference::Answer(const Request& request, Response& response, Fill fill) {
  const int now = ++at_once_;
  for (int most = most_at_once_; now > most && !most_at_once_.compare_exchange_weak(most, now);) continue;
  std::this_thread::sleep_for(delay_);
  --at_once_;
  {
    const std::lock_guard lock(mutex_);
    request_sizes_.push_back(request.images_size());
    for (const v1::Image& image : request.images()) {
      if (image.has_tensor()) tensors_.push_back(image.tensor());
    }
  }
  for (const v1::Image& image : request.images()) {
    auto& result = *response.add_results();
    absl::string_view text = image.encoded();
    int value = 0;
    if (!image.has_tensor() && !(absl::ConsumePrefix(&text, "ok ") && absl::SimpleAtoi(text, &value))) {
      if (request.images_size() == 1) return AsCall(FailureOf(image.encoded()));
      *result.mutable_status() = FailureOf(image.encoded());
      continue;
    }
    fill(value, result);
    result.mutable_execution()->set_batch_size(request.images_size());
  }
  return grpc::Status::OK;
}

grpc::Status FakeInference::Classify(grpc::ServerContext* call, const v1::ClassifyRequest* request,
                                     v1::ClassifyResponse* response) {
  if (grpc::Status status = gate_(*call, request->images_size()); !status.ok()) return status;
  return Answer(*request, *response, [&](int value, v1::ClassifyResult& result) {
    for (int k = 0; k < std::max(1, request->options().top_k()); ++k) {
      v1::Class& c = *result.add_classes();
      c.set_index(value + k);
      if (value != 9) c.set_label(absl::StrCat(request->options().head(), "label ", value + k));
      c.set_score(request->options().scores() == v1::ClassifyOptions::LOGITS ? 12.5f : 0.75f);
    }
  });
}

grpc::Status FakeInference::Embed(grpc::ServerContext* call, const v1::EmbedRequest* request,
                                  v1::EmbedResponse* response) {
  if (grpc::Status status = gate_(*call, request->images_size()); !status.ok()) return status;
  std::string weights;
  {
    const std::lock_guard lock(mutex_);
    if (weights_ != "some weights") weights = " by " + weights_;
  }
  const v1::EmbedOptions& options = request->options();
  for (const std::string& space : options.require_space()) {
    if (space != "space of pool") return {grpc::StatusCode::FAILED_PRECONDITION, "another space than " + space};
  }
  return Answer(*request, *response, [&](int value, v1::EmbedResult& result) {
    result.add_embedding(static_cast<float>(value));
    result.add_embedding(4);
    result.add_embedding(options.l2_normalize() ? 1 : 0);
    result.set_embedding_space("space of pool" + weights);
    if (options.dimensions() > 0) result.mutable_embedding()->Truncate(options.dimensions());
    for (const std::string& layer : options.layers()) {
      v1::LayerEmbedding& of = *result.add_layers();
      of.set_layer(layer);
      of.set_embedding_space("space of " + layer);
      *of.mutable_values() = result.embedding();
      of.add_values(static_cast<float>(layer.size()));
    }
    if (options.layers_size() > 0) result.clear_embedding();
  });
}

grpc::Status FakeInference::ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                                       v1::ListModelsResponse* response) {
  v1::ModelSummary& ready = *response->add_models();
  ready.set_name("small");
  ready.set_version("1");
  ready.set_state(v1::ModelSummary::READY);
  v1::ModelSummary& failed = *response->add_models();
  failed.set_name("broken");
  failed.set_version("2");
  failed.set_state(v1::ModelSummary::FAILED);
  failed.set_error("node Conv_3: unsupported");
  return grpc::Status::OK;
}

grpc::Status FakeInference::GetModel(grpc::ServerContext* call, const v1::GetModelRequest* request,
                                     v1::GetModelResponse* model) {
  if (grpc::Status status = gate_(*call, 0); !status.ok()) return status;
  if (!request->model().empty() && request->model() != "small") return {grpc::StatusCode::NOT_FOUND, "no such model"};
  model->set_name("small");
  model->set_classes(10);
  {
    const std::lock_guard lock(mutex_);
    model->set_weights_sha256(weights_);
  }
  model->mutable_input()->set_height(2);
  model->mutable_input()->set_width(3);
  model->mutable_input()->set_channels(1);
  model->mutable_input()->add_tensor_types(v1::Tensor::UINT8);
  model->mutable_input()->set_resizes_pixels(true);
  v1::Head& head = *model->add_heads();
  head.set_name("colour");
  head.set_classes(2);
  head.set_activation(v1::Head::SIGMOID);
  head.add_thresholds(0.5);
  v1::Head& digits = *model->add_heads();
  digits.set_name("digit");
  digits.set_classes(10);
  for (int i = 0; i < 10; ++i) digits.add_labels(absl::StrCat("label ", i));
  v1::Layer& layer = *model->add_layers();
  layer.set_name("stage1");
  layer.add_shape(8);
  for (const int dimensions : {8, 2}) {
    v1::EmbeddingSpace& space = *layer.add_spaces();
    space.set_id(absl::StrCat("id", dimensions));
    space.set_dimensions(dimensions);
    space.set_l2_normalized(dimensions == 2);
  }
  return grpc::Status::OK;
}

std::vector<int> FakeInference::request_sizes() {
  const std::lock_guard lock(mutex_);
  return request_sizes_;
}

std::vector<v1::Tensor> FakeInference::tensors() {
  const std::lock_guard lock(mutex_);
  return tensors_;
}

grpc::Status FakeHealth::Check(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest* request,
                               Response* response) {
  ++checks_;
  if (!request->service().empty() && request->service() != "small") return {grpc::StatusCode::NOT_FOUND, "unknown"};
  response->set_status(checks_ >= serving_from_check_ ? Response::SERVING : Response::NOT_SERVING);
  return grpc::Status::OK;
}

grpc::Status FakeHealth::Watch(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest*,
                               grpc::ServerWriter<Response>* writer) {
  for (const auto status : {Response::SERVING, Response::NOT_SERVING, Response::SERVING}) {
    Response response;
    response.set_status(status);
    writer->Write(response);
  }
  return watch_end_;
}

CommandsTest::CommandsTest() {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  folder_ = std::filesystem::path(testing::TempDir()) / absl::StrCat("resnetctl-", test.name(), "-", getpid());
  std::filesystem::create_directories(folder_);
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(-1);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(&inference_);
  builder.RegisterService(&health_);
  server_ = builder.BuildAndStart();
}

CommandsTest::~CommandsTest() {
  server_->Shutdown();
  std::filesystem::remove_all(folder_);
}

int CommandsTest::Ctl(std::vector<std::string> args) {
  out_.str("");
  err_.str("");
  args.insert(args.begin(), absl::StrCat("--server=127.0.0.1:", port_));
  return cli::Run(args, out_, err_, false);
}

std::string CommandsTest::File(const std::string& name, const std::string& text) {
  std::ofstream(folder_ / name, std::ios::binary) << text;
  return (folder_ / name).string();
}

}  // namespace resnetd::cli
