#ifndef RESNETD_TESTS_SUPPORT_CLI_FAKE_SERVER_H_
#define RESNETD_TESTS_SUPPORT_CLI_FAKE_SERVER_H_

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "resnetd/v1/inference.grpc.pb.h"

// A small server that knows the answers, for tests of resnetctl's commands.
namespace resnetd::cli {

// An image file "ok 3" is of class 3 and has the embedding (3, 4, 0), which a layer's has its name's length behind; a
// file "bad" fails with details, and "broken" breaks the engine. Tensors are of class 0. The model is "small" and has
// ten classes, its first head two.
class FakeInference : public v1::InferenceService::Service {
 public:
  grpc::Status Classify(grpc::ServerContext*, const v1::ClassifyRequest* request,
                        v1::ClassifyResponse* response) override;
  grpc::Status Embed(grpc::ServerContext*, const v1::EmbedRequest* request, v1::EmbedResponse* response) override;
  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override;
  grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest* request, v1::GetModelResponse* model) override;

  std::vector<int> request_sizes();
  std::vector<v1::Tensor> tensors();
  int most_calls_at_once() const { return most_at_once_; }
  // The least time of an answer: with it tests make calls overlap, or outlast their deadline.
  void set_delay(std::chrono::milliseconds delay) { delay_ = delay; }
  // Called for each call at first, with the images of it, 0: GetModel. An error is the call's answer.
  using Gate = std::function<grpc::Status(grpc::ServerContext& call, int images)>;
  void set_gate(Gate gate) { gate_ = std::move(gate); }
  // The space and the weights of what is served from now on.
  void set_weights(const std::string& weights) {
    const std::lock_guard lock(mutex_);
    weights_ = weights;
  }

 private:
  template <typename Request, typename Response, typename Fill>
  grpc::Status Answer(const Request& request, Response& response, Fill fill);

  std::mutex mutex_;
  std::vector<int> request_sizes_;
  std::vector<v1::Tensor> tensors_;
  std::atomic<int> at_once_{0}, most_at_once_{0};
  std::chrono::milliseconds delay_{0};
  Gate gate_ = [](grpc::ServerContext&, int) { return grpc::Status::OK; };
  std::string weights_ = "some weights";
};

// A server's refusal: with a reason, and with a pushback unless `pushback_ms` is empty.
grpc::Status FakeRefusal(grpc::ServerContext& call, grpc::StatusCode code, const std::string& reason,
                         const std::string& pushback_ms = "");

class FakeHealth : public grpc::health::v1::Health::Service {
 public:
  using Response = grpc::health::v1::HealthCheckResponse;

  grpc::Status Check(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest* request,
                     Response* response) override;
  grpc::Status Watch(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest*,
                     grpc::ServerWriter<Response>* writer) override;

  std::atomic<int> checks_{0}, serving_from_check_{1};
  grpc::Status watch_end_;
};

// Runs commands against the server, with a folder of their own.
class CommandsTest : public testing::Test {
 protected:
  CommandsTest();
  ~CommandsTest() override;

  int Ctl(std::vector<std::string> args);  // the exit status
  nlohmann::json Json() { return nlohmann::json::parse(out_.str()); }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  // Writes a file into the folder; its path.
  std::string File(const std::string& name, const std::string& text);

  FakeInference inference_;
  FakeHealth health_;
  std::filesystem::path folder_;
  int port_ = 0;

 private:
  std::unique_ptr<grpc::Server> server_;
  std::ostringstream out_, err_;
};

}  // namespace resnetd::cli

#endif  // RESNETD_TESTS_SUPPORT_CLI_FAKE_SERVER_H_
