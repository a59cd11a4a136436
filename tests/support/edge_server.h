#ifndef RESNETD_TESTS_SUPPORT_EDGE_SERVER_H_
#define RESNETD_TESTS_SUPPORT_EDGE_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "resnetd/v1/inference.grpc.pb.h"
#include "server/edge/edge.h"
#include "server/model_repository.h"
#include "server/observe/metrics.h"
#include "server/scheduling/scheduler.h"
#include "tests/support/fake_model.h"

// The real edge on a real port with the real scheduler, and in place of the engine arithmetic that a test can do in its
// head and a worker that it can stop: what is tested is the edge, and nothing depends on how fast anything is.
namespace resnetd::server {

// The stand-in's result for the bytes of an image.
std::vector<float> FakeLogits(const std::string& bytes);
std::vector<float> FakeEmbedding(const std::string& bytes);
std::vector<float> FakeMap(const std::string& bytes);

// 784 bytes that differ by seed.
v1::Image FakeImage(unsigned seed);
// A ClassifyRequest for logits of all classes of these images.
v1::ClassifyRequest LogitsRequest(const std::vector<unsigned>& seeds);
// True if the result is the stand-in's answer for FakeImage(seed).
bool IsAnswerOf(const v1::ClassifyResult& result, unsigned seed);

// Returns what a failed call's details say; empty where it has none.
google::rpc::Status Details(const grpc::Status& status);
google::rpc::ErrorInfo Info(const google::rpc::Status& status);
std::string Field(const google::rpc::Status& status);  // of the first violation

// An edge that serves the native protocol.
absl::StatusOr<std::unique_ptr<Edge>> StartEdge(const EdgeOptions& options, const ModelRepository& models,
                                                scheduling::Scheduler& scheduler, Metrics& metrics);

class EdgeServer {
 public:
  struct Setup {
    EdgeOptions edge{};
    scheduling::Limits scheduling{};
    std::shared_ptr<Model> model = FakeModel();
  };
  EdgeServer() : EdgeServer(Setup()) {}
  explicit EdgeServer(Setup setup);
  ~EdgeServer();

  Edge& edge() { return *edge_; }
  Metrics& metrics() { return metrics_; }
  scheduling::Scheduler& scheduler() { return *scheduler_; }
  std::string address() const;
  std::unique_ptr<v1::InferenceService::Stub> NewStub(const grpc::ChannelArguments& arguments = {}) const;
  std::shared_ptr<grpc::Channel> NewChannel(const grpc::ChannelArguments& arguments = {}) const;

  // While held, a worker that has taken a batch waits with it.
  void Hold();
  void Release();
  // Waits until so many batches have been taken since the start, or so many images wait in the queue.
  void AwaitBatches(int count);
  void AwaitWaiting(size_t images);
  int images_computed();

 private:
  void Run(const scheduling::Dispatch& dispatch, std::vector<std::unique_ptr<scheduling::Job>> jobs);

  Mutex mu_;
  CondVar changed_;
  bool held_ ABSL_GUARDED_BY(mu_) = false;
  int batches_ ABSL_GUARDED_BY(mu_) = 0, images_ ABSL_GUARDED_BY(mu_) = 0;

  const std::shared_ptr<const Model> model_;
  Metrics metrics_;
  ModelRepository models_;
  std::unique_ptr<scheduling::Scheduler> scheduler_;
  std::unique_ptr<Edge> edge_;
};

}  // namespace resnetd::server

#endif  // RESNETD_TESTS_SUPPORT_EDGE_SERVER_H_
