#include "tests/support/edge_server.h"

#include <chrono>
#include <cstdlib>
#include <deque>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/compute/image_job.h"
#include "server/edge/native/codec.h"

namespace resnetd::server {
namespace {

constexpr int kClasses = 10, kFeatures = 4, kMapValues = 18;

// A part that is not wanted is not there.
std::vector<float> FakeOutput(const ModelInfo& info, const ImageJob& image, OutputId id, const std::string& bytes) {
  if (!image.wanted()[static_cast<size_t>(id)]) return {};
  if (id == info.logits) return FakeLogits(bytes);
  return id == info.embedding ? FakeEmbedding(bytes) : FakeMap(bytes);
}

}  // namespace

// The mean of every tenth byte, starting at the class's index.
std::vector<float> FakeLogits(const std::string& bytes) {
  std::vector<float> logits;
  for (int c = 0; c < kClasses; ++c) {
    double sum = 0;
    for (size_t i = c; i < bytes.size(); i += kClasses) sum += static_cast<unsigned char>(bytes[i]);
    logits.push_back(static_cast<float>(sum * kClasses / static_cast<double>(bytes.size())));
  }
  return logits;
}

std::vector<float> FakeEmbedding(const std::string& bytes) {
  std::vector<float> embedding;
  for (size_t i = 0; i < kFeatures; ++i) embedding.push_back(static_cast<unsigned char>(bytes[i]));
  return embedding;
}

std::vector<float> FakeMap(const std::string& bytes) {
  return std::vector<float>(kMapValues, static_cast<unsigned char>(bytes[0]));
}

v1::Image FakeImage(unsigned seed) {
  std::mt19937 random(seed);
  v1::Image image;
  v1::Tensor& tensor = *image.mutable_tensor();
  tensor.set_type(v1::Tensor::UINT8);
  for (int n : {28, 28, 1}) tensor.add_shape(n);
  for (int i = 0; i < 784; ++i) tensor.mutable_data()->push_back(static_cast<char>(random()));
  return image;
}

v1::ClassifyRequest LogitsRequest(const std::vector<unsigned>& seeds) {
  v1::ClassifyRequest request;
  for (unsigned seed : seeds) *request.add_images() = FakeImage(seed);
  request.mutable_options()->set_top_k(kClasses);
  request.mutable_options()->set_scores(v1::ClassifyOptions::LOGITS);
  return request;
}

bool IsAnswerOf(const v1::ClassifyResult& result, unsigned seed) {
  const std::vector<float> logits = FakeLogits(FakeImage(seed).tensor().data());
  if (result.status().code() != 0 || result.classes_size() != kClasses) return false;
  for (const v1::Class& c : result.classes()) {
    if (c.score() != logits[static_cast<size_t>(c.index())]) return false;
  }
  return true;
}

google::rpc::Status Details(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) details.Clear();
  return details;
}

google::rpc::ErrorInfo Info(const google::rpc::Status& status) {
  google::rpc::ErrorInfo info;
  for (const auto& detail : status.details()) {
    if (detail.Is<google::rpc::ErrorInfo>()) detail.UnpackTo(&info);
  }
  return info;
}

std::string Field(const google::rpc::Status& status) {
  google::rpc::BadRequest bad;
  for (const auto& detail : status.details()) {
    if (detail.Is<google::rpc::BadRequest>()) detail.UnpackTo(&bad);
  }
  return bad.field_violations_size() == 0 ? "" : bad.field_violations(0).field();
}

absl::StatusOr<std::unique_ptr<Edge>> StartEdge(const EdgeOptions& options, const ModelRepository& models,
                                                scheduling::Scheduler& scheduler, Metrics& metrics) {
  std::vector<Protocol> protocols;
  protocols.push_back(NativeProtocol(models, options));
  return Edge::Start(options, std::move(protocols), models, scheduler, metrics);
}

EdgeServer::EdgeServer(Setup setup) : model_(setup.model) {
  scheduler_ = std::make_unique<scheduling::Scheduler>(
      setup.scheduling, [this](int, const scheduling::Dispatch& dispatch,
                               std::vector<std::unique_ptr<scheduling::Job>> jobs) { Run(dispatch, std::move(jobs)); });
  const ServedModel served = {.model = setup.model,
                              .key = scheduling::ModelKey{1},
                              .metrics = &metrics_.ModelLoaded(*setup.model, std::chrono::seconds(1))};
  scheduler_->AddModel(served.key, FakeCosts());
  models_.Add(served);
  setup.edge.port = 0;
  absl::StatusOr<std::unique_ptr<Edge>> edge = StartEdge(setup.edge, models_, *scheduler_, metrics_);
  if (!edge.ok()) {
    fprintf(stderr, "%s\n", edge.status().ToString().c_str());
    abort();
  }
  edge_ = *std::move(edge);
}

EdgeServer::~EdgeServer() {
  Release();
  edge_->Shutdown(std::chrono::steady_clock::now() + std::chrono::seconds(10));
}

std::string EdgeServer::address() const {
  return absl::StrCat("127.0.0.1:", edge_->port());
}

std::shared_ptr<grpc::Channel> EdgeServer::NewChannel(const grpc::ChannelArguments& arguments) const {
  grpc::ChannelArguments own = arguments;
  own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  return grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(), own);
}

std::unique_ptr<v1::InferenceService::Stub> EdgeServer::NewStub(const grpc::ChannelArguments& arguments) const {
  return v1::InferenceService::NewStub(NewChannel(arguments));
}

void EdgeServer::Hold() {
  MutexLock lock(&mu_);
  held_ = true;
}

void EdgeServer::Release() {
  MutexLock lock(&mu_);
  held_ = false;
  changed_.SignalAll();
}

void EdgeServer::AwaitBatches(int count) {
  MutexLock lock(&mu_);
  while (batches_ < count) changed_.Wait(&mu_);
}

void EdgeServer::AwaitWaiting(size_t images) {
  // The scheduler tells nobody of it, and is asked once a millisecond.
  while (scheduler_->snapshot().waiting < images) absl::SleepFor(absl::Milliseconds(1));
}

int EdgeServer::images_computed() {
  MutexLock lock(&mu_);
  return images_;
}

void EdgeServer::Run(const scheduling::Dispatch& dispatch, std::vector<std::unique_ptr<scheduling::Job>> jobs) {
  {
    MutexLock lock(&mu_);
    ++batches_;
    changed_.SignalAll();
    while (held_) changed_.Wait(&mu_);
    images_ += static_cast<int>(jobs.size());
  }
  for (const std::unique_ptr<scheduling::Job>& job : jobs) {
    ImageJob& image = static_cast<ImageJob&>(*job);
    const absl::Span<const std::byte> source = image.source().bytes;
    const std::string bytes(reinterpret_cast<const char*>(source.data()), source.size());
    Execution execution;
    execution.queue = std::chrono::steady_clock::now() - image.admitted_at();
    execution.batch_id = static_cast<uint64_t>(dispatch.id);
    execution.batch_size = static_cast<int>(jobs.size());
    if (image.source().kind == SourceKind::kEncoded) {
      image.OnFailed(absl::InvalidArgumentError("the stand-in decodes nothing"), execution);
    } else {
      std::deque<std::vector<float>> computed;
      image.OnComputed(
          [&](OutputId id) -> absl::Span<const float> {
            return computed.emplace_back(FakeOutput(model_->engine->info(), image, id, bytes));
          },
          execution);
    }
  }
}

}  // namespace resnetd::server
