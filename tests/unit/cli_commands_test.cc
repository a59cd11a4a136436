// Every command of resnetctl against a small server that knows the answers: an image file "ok 3" is of class 3 and has
// the embedding (3, 4, 0), which a layer's has its name's length behind; a file "bad" fails with details.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/cli.h"
#include "cli/npy.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "resnetd/v1/inference.grpc.pb.h"

namespace resnetd::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::UnorderedElementsAre;

google::rpc::Status BadImage() {
  google::rpc::Status status;
  status.set_code(grpc::StatusCode::INVALID_ARGUMENT);
  status.set_message("images: expected JPEG or PNG, got 3 bytes of text");
  google::rpc::ErrorInfo info;
  info.set_reason("BAD_IMAGE");
  status.add_details()->PackFrom(info);
  return status;
}

grpc::Status AsCall(const google::rpc::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), status.message(), status.SerializeAsString()};
}

class FakeInference : public v1::InferenceService::Service {
 public:
  grpc::Status Classify(grpc::ServerContext*, const v1::ClassifyRequest* request,
                        v1::ClassifyResponse* response) override {
    return Answer(*request, *response, [&](int value, v1::ClassifyResult& result) {
      for (int k = 0; k < std::max(1, request->options().top_k()); ++k) {
        v1::Class& c = *result.add_classes();
        c.set_index(value + k);
        if (value != 9) c.set_label(absl::StrCat(request->options().head(), "label ", value + k));
        c.set_score(request->options().scores() == v1::ClassifyOptions::LOGITS ? 12.5f : 0.75f);
      }
    });
  }

  grpc::Status Embed(grpc::ServerContext*, const v1::EmbedRequest* request, v1::EmbedResponse* response) override {
    const v1::EmbedOptions& options = request->options();
    for (const std::string& space : options.require_space()) {
      if (space != "space of pool") return {grpc::StatusCode::FAILED_PRECONDITION, "another space than " + space};
    }
    return Answer(*request, *response, [&](int value, v1::EmbedResult& result) {
      result.add_embedding(static_cast<float>(value));
      result.add_embedding(4);
      result.add_embedding(options.l2_normalize() ? 1 : 0);
      result.set_embedding_space("space of pool");
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

  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override {
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

  grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest* request,
                        v1::GetModelResponse* model) override {
    if (!request->model().empty() && request->model() != "small") return {grpc::StatusCode::NOT_FOUND, "no such model"};
    model->set_name("small");
    model->set_classes(10);
    model->mutable_input()->set_height(2);
    model->mutable_input()->set_width(3);
    model->mutable_input()->set_channels(1);
    model->mutable_input()->add_tensor_types(v1::Tensor::UINT8);
    v1::Head& head = *model->add_heads();
    head.set_name("colour");
    head.set_classes(2);
    head.set_activation(v1::Head::SIGMOID);
    head.add_thresholds(0.5);
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

  std::vector<int> request_sizes() {
    const std::lock_guard lock(mutex_);
    return request_sizes_;
  }
  std::vector<v1::Tensor> tensors() {
    const std::lock_guard lock(mutex_);
    return tensors_;
  }
  int most_calls_at_once() const { return most_at_once_; }
  void set_delay(std::chrono::milliseconds delay) { delay_ = delay; }

 private:
  template <typename Request, typename Response, typename Fill>
  grpc::Status Answer(const Request& request, Response& response, Fill fill) {
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
        if (request.images_size() == 1) return AsCall(BadImage());
        *result.mutable_status() = BadImage();
        continue;
      }
      fill(value, result);
      result.mutable_execution()->set_batch_size(request.images_size());
    }
    return grpc::Status::OK;
  }

  std::mutex mutex_;
  std::vector<int> request_sizes_;
  std::vector<v1::Tensor> tensors_;
  std::atomic<int> at_once_{0}, most_at_once_{0};
  std::chrono::milliseconds delay_{0};
};

class FakeHealth : public grpc::health::v1::Health::Service {
 public:
  using Response = grpc::health::v1::HealthCheckResponse;

  grpc::Status Check(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest* request,
                     Response* response) override {
    ++checks_;
    if (!request->service().empty() && request->service() != "small") return {grpc::StatusCode::NOT_FOUND, "unknown"};
    response->set_status(checks_ >= serving_from_check_ ? Response::SERVING : Response::NOT_SERVING);
    return grpc::Status::OK;
  }
  grpc::Status Watch(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest*,
                     grpc::ServerWriter<Response>* writer) override {
    for (const auto status : {Response::SERVING, Response::NOT_SERVING, Response::SERVING}) {
      Response response;
      response.set_status(status);
      writer->Write(response);
    }
    return watch_end_;
  }

  std::atomic<int> checks_{0}, serving_from_check_{1};
  grpc::Status watch_end_;
};

class CommandsTest : public testing::Test {
 protected:
  CommandsTest() {
    const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / absl::StrCat("resnetctl-", test.name(), "-", getpid());
    fs::create_directories(folder_);
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(-1);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&inference_);
    builder.RegisterService(&health_);
    server_ = builder.BuildAndStart();
  }
  ~CommandsTest() override {
    server_->Shutdown();
    fs::remove_all(folder_);
  }

  int Ctl(std::vector<std::string> args) {
    out_.str("");
    err_.str("");
    args.insert(args.begin(), absl::StrCat("--server=127.0.0.1:", port_));
    return cli::Run(args, out_, err_, false);
  }
  nlohmann::json Json() { return nlohmann::json::parse(out_.str()); }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  std::string File(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }

  FakeInference inference_;
  FakeHealth health_;
  fs::path folder_;

  int port_ = 0;

 private:
  std::unique_ptr<grpc::Server> server_;
  std::ostringstream out_, err_;
};

// ---- classify ----

TEST_F(CommandsTest, ClassifyPrintsATable) {
  const std::string a = File("a.png", "ok 3"), b = File("b.png", "ok 9");
  EXPECT_EQ(Ctl({"classify", "--top-k", "2", a, b}), 0) << err();
  const std::string gap(folder_.string().size() + 1, ' ');
  EXPECT_EQ(out(), absl::StrCat("image", gap, "  top 1           top 2\n",  //
                                a, "  label 3 75.0 %  label 4 75.0 %\n",    //
                                b, "  #9 75.0 %       #10 75.0 %\n"));
  EXPECT_EQ(err(), "");
}

TEST_F(CommandsTest, ClassifyShowsTrueLabelsAndCountsThem) {
  const std::string a = File("a.png", "ok 3"), b = File("b.png", "ok 4"), c = File("c.png", "ok 9"),
                    d = File("d.png", "ok 1");
  const std::string list = File("labels.txt", "a.png label 3\nb.png label 7\nc.png 9\n");
  EXPECT_EQ(Ctl({"classify", "--top-k=1", "--expect", list, a, b, c, d}), 0) << err();
  EXPECT_THAT(out(), HasSubstr(a + "  label 3     label 3 75.0 %\n"));
  EXPECT_THAT(out(), HasSubstr(b + "  label 7     label 4 75.0 %\n"));
  EXPECT_THAT(out(), HasSubstr(d + "              label 1 75.0 %\n"));
  EXPECT_THAT(out(), HasSubstr("\n2 of 3 correct\n"));
}

TEST_F(CommandsTest, ClassifyLogits) {
  EXPECT_EQ(Ctl({"classify", "--logits", "--top-k=1", File("a.png", "ok 3")}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("label 3 12.500\n"));
}

TEST_F(CommandsTest, ClassifyAsksForAHead) {
  EXPECT_EQ(Ctl({"classify", "--head", "colour", "--top-k=1", File("a.png", "ok 3")}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("colourlabel 3 75.0 %\n"));
}

// An image that fails, in a batch or as a call, or that cannot be read, fails alone.
TEST_F(CommandsTest, EachImageFailsAlone) {
  const std::string a = File("a.png", "ok 1"), b = File("b.png", "bad"), c = File("c.png", "ok 2");
  const std::string missing = (folder_ / "missing.png").string();
  for (const char* per_request : {"1", "2", "3", "8"}) {
    SCOPED_TRACE(per_request);
    EXPECT_EQ(Ctl({"classify", "--json", "--top-k=1", "--images-per-request", per_request, a, missing, b, c}), 1);
    const nlohmann::json json = Json();
    ASSERT_EQ(json.size(), 4u);
    EXPECT_EQ(json[0]["classes"][0]["label"], "label 1");
    EXPECT_EQ(json[1]["error"]["code"], "NOT_FOUND");
    EXPECT_EQ(json[2]["image"], b);
    EXPECT_EQ(json[2]["error"]["code"], "INVALID_ARGUMENT");
    EXPECT_EQ(json[2]["error"]["reason"], "BAD_IMAGE");
    EXPECT_EQ(json[3]["classes"][0]["index"], 2);
    EXPECT_THAT(
        err(),
        HasSubstr(b + ": INVALID_ARGUMENT: images: expected JPEG or PNG, got 3 bytes of text\n  reason: BAD_IMAGE\n"));
  }
}

TEST_F(CommandsTest, RowsWithErrorsShowThem) {
  EXPECT_EQ(Ctl({"classify", File("b.png", "bad")}), 1);
  EXPECT_THAT(out(), HasSubstr("b.png  INVALID_ARGUMENT: images: expected JPEG or PNG, got 3 bytes of text\n"));
}

TEST_F(CommandsTest, AnswersStayInOrderWhateverTheWindow) {
  for (int i = 0; i < 50; ++i) File(absl::StrCat("i", 100 + i, ".png"), absl::StrCat("ok ", i));
  inference_.set_delay(std::chrono::milliseconds(2));
  EXPECT_EQ(Ctl({"classify", "--json", "--images-per-request=4", "--requests-in-flight=5", folder_.string()}), 0)
      << err();
  const nlohmann::json json = Json();
  ASSERT_EQ(json.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(json[i]["classes"][0]["index"], i);
  EXPECT_THAT(inference_.request_sizes(), Each(Le(4)));
  EXPECT_EQ(inference_.request_sizes().size(), 13u);
  EXPECT_GT(inference_.most_calls_at_once(), 1) << "calls were not pipelined";
  EXPECT_LE(inference_.most_calls_at_once(), 5);
}

// A request is closed once it holds 8 MiB.
TEST_F(CommandsTest, LargeFilesGoInSmallerRequests) {
  const std::string large = "ok " + std::string(5 << 20, '0') + "1";
  const std::vector<std::string> files = {File("a.png", large), File("b.png", large), File("c.png", large)};
  EXPECT_EQ(Ctl({"classify", "--json", files[0], files[1], files[2]}), 0) << err();
  EXPECT_THAT(inference_.request_sizes(), UnorderedElementsAre(2, 1));
  EXPECT_EQ(Json().size(), 3u);
}

// ---- embed ----

TEST_F(CommandsTest, EmbedPrintsNormsAndFirstValues) {
  EXPECT_EQ(Ctl({"embed", File("a.png", "ok 3")}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("a.png  3     5.0000  3.0000 4.0000 0.0000\n"));
}

TEST_F(CommandsTest, EmbedAsksForUnitLength) {
  EXPECT_EQ(Ctl({"embed", "--json", "--l2", File("a.png", "ok 3")}), 0) << err();
  EXPECT_EQ(Json()[0]["embedding"], nlohmann::json({3.0, 4.0, 1.0}));
}

TEST_F(CommandsTest, EmbedCutsVectorsAndNamesTheirSpace) {
  EXPECT_EQ(Ctl({"embed", "--json", "--dimensions=2", File("a.png", "ok 3")}), 0) << err();
  EXPECT_EQ(Json()[0]["embedding"], nlohmann::json({3.0, 4.0}));
  EXPECT_EQ(Json()[0]["embedding_space"], "space of pool");
}

TEST_F(CommandsTest, EmbedShowsEachLayer) {
  const std::string a = File("a.png", "ok 3");
  EXPECT_EQ(Ctl({"embed", "--layer", "pool", "--layer", "stage3", a}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("  layer   size  norm    first values\n"));
  EXPECT_THAT(out(), HasSubstr("a.png  pool    4     6.4031  3.0000 4.0000 0.0000 4.0000\n"));
  EXPECT_THAT(out(), HasSubstr("a.png  stage3  4     7.8102  3.0000 4.0000 0.0000 6.0000\n"));
  EXPECT_EQ(Ctl({"embed", "--json", "--layer", "pool", "--layer", "stage3", a}), 0) << err();
  EXPECT_FALSE(Json()[0].contains("embedding"));
  EXPECT_EQ(Json()[0]["layers"]["pool"]["embedding"], nlohmann::json({3.0, 4.0, 0.0, 4.0}));
  EXPECT_EQ(Json()[0]["layers"]["stage3"]["embedding"], nlohmann::json({3.0, 4.0, 0.0, 6.0}));
  EXPECT_EQ(Json()[0]["layers"]["stage3"]["embedding_space"], "space of stage3");
}

TEST_F(CommandsTest, EmbedRequiresASpace) {
  const std::string a = File("a.png", "ok 3");
  EXPECT_EQ(Ctl({"embed", "--require-space", "space of pool", a}), 0) << err();
  EXPECT_EQ(Ctl({"embed", "--require-space", "mine", a}), 1);
  EXPECT_THAT(err(), HasSubstr("FAILED_PRECONDITION: another space than mine"));
}

TEST_F(CommandsTest, EmbedWritesOneLayerAFile) {
  const std::string npy = (folder_ / "out.npy").string(), a = File("a.png", "ok 3");
  EXPECT_EQ(Ctl({"embed", "--npy", npy, "--layer=stage3", a}), 0) << err();
  EXPECT_EQ(fs::file_size(npy), NpyHeader(1, 4).size() + 16);
  fs::remove(npy);
  EXPECT_EQ(Ctl({"embed", "--npy", npy, "--layer=stage3", "--layer=pool", a}), 2);
  EXPECT_THAT(err(), HasSubstr("--npy: expected one --layer, got 2"));
  EXPECT_FALSE(fs::exists(npy));
}

TEST_F(CommandsTest, EmbedWritesNpyWithARowForEveryImage) {
  const std::string npy = (folder_ / "out.npy").string();
  EXPECT_EQ(Ctl({"embed", "--npy", npy, File("a.png", "ok 3"), File("b.png", "bad"), File("c.png", "ok 5")}), 1);
  EXPECT_EQ(out(), "");
  std::ifstream file(npy, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  const std::string header = NpyHeader(3, 3);
  ASSERT_EQ(bytes.str().size(), header.size() + 36);
  EXPECT_EQ(bytes.str().substr(0, header.size()), header);
  float values[9];
  bytes.str().copy(reinterpret_cast<char*>(values), 36, header.size());
  EXPECT_EQ(values[0], 3);
  for (int i = 3; i < 6; ++i) EXPECT_TRUE(std::isnan(values[i]));
  EXPECT_EQ(values[6], 5);
}

TEST_F(CommandsTest, EmbedWritesNoNpyWithoutAnEmbedding) {
  const std::string npy = (folder_ / "out.npy").string();
  EXPECT_EQ(Ctl({"embed", "--npy", npy, File("b.png", "bad")}), 1);
  EXPECT_THAT(err(), HasSubstr("no image has an embedding: " + npy + " not written"));
  EXPECT_FALSE(fs::exists(npy));
}

// ---- models ----

TEST_F(CommandsTest, ModelsLists) {
  EXPECT_EQ(Ctl({"models"}), 0) << err();
  EXPECT_EQ(out(),
            "model   version  state   error\n"
            "small   1        READY   \n"
            "broken  2        FAILED  node Conv_3: unsupported\n");
}

TEST_F(CommandsTest, ModelsJsonHoldsDetailsOfThoseThatAreReady) {
  EXPECT_EQ(Ctl({"models", "--json"}), 0) << err();
  const nlohmann::json json = Json();
  EXPECT_EQ(json[0]["input"]["width"], 3);
  EXPECT_EQ(json[0]["input"]["tensor_types"], nlohmann::json({"UINT8"}));
  EXPECT_EQ(json[0]["state"], "READY");
  EXPECT_EQ(json[1]["error"], "node Conv_3: unsupported");
  EXPECT_FALSE(json[1].contains("input"));
  EXPECT_EQ(json[0]["heads"][0]["activation"], "SIGMOID");
  EXPECT_EQ(json[0]["heads"][0]["thresholds"], nlohmann::json({0.5}));
  EXPECT_EQ(json[0]["layers"][0]["shape"], nlohmann::json({8}));
  EXPECT_EQ(json[0]["layers"][0]["spaces"][1],
            nlohmann::json({{"id", "id2"}, {"dimensions", 2}, {"l2_normalized", true}}));
}

TEST_F(CommandsTest, ModelsShowsOne) {
  EXPECT_EQ(Ctl({"models", "small"}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("2 x 3 x 1; UINT8; "));
  EXPECT_THAT(out(), HasSubstr("colour: 2 classes, no labels, sigmoid with thresholds\n"));
  EXPECT_THAT(out(), HasSubstr("stage1: 8; space id8; of length 1 id2 of the first 2\n"));
  EXPECT_EQ(Ctl({"models", "other"}), 1);
  EXPECT_THAT(err(), HasSubstr("NOT_FOUND: no such model"));
}

// ---- health ----

TEST_F(CommandsTest, HealthIsZeroOnlyIfServing) {
  EXPECT_EQ(Ctl({"health"}), 0);
  EXPECT_EQ(out(), "SERVING\n");
  EXPECT_EQ(Ctl({"health", "--service", "small"}), 0);
  EXPECT_EQ(out(), "small: SERVING\n");
  EXPECT_EQ(Ctl({"health", "--service", "other"}), 1);
  EXPECT_THAT(err(), HasSubstr("NOT_FOUND: unknown"));
  health_.serving_from_check_ = 1 << 30;
  EXPECT_EQ(Ctl({"health"}), 1);
  EXPECT_EQ(out(), "NOT_SERVING\n");
  EXPECT_EQ(Ctl({"health", "--json"}), 1);
  EXPECT_EQ(Json()["status"], "NOT_SERVING");
}

TEST_F(CommandsTest, HealthWaits) {
  health_.serving_from_check_ = 3;
  EXPECT_EQ(Ctl({"health", "--wait", "60"}), 0);
  EXPECT_EQ(health_.checks_, 3);
  health_.serving_from_check_ = 1 << 30;
  EXPECT_EQ(Ctl({"health", "--wait", "0.3"}), 1);
  EXPECT_GT(health_.checks_, 3);
}

TEST_F(CommandsTest, HealthWatchPrintsEveryChange) {
  EXPECT_EQ(Ctl({"health", "--watch"}), 0);
  EXPECT_EQ(out(), "SERVING\nNOT_SERVING\nSERVING\n");
  health_.watch_end_ = grpc::Status(grpc::StatusCode::UNAVAILABLE, "going");
  EXPECT_EQ(Ctl({"health", "--watch"}), 1);
  EXPECT_THAT(err(), HasSubstr("UNAVAILABLE: going"));
}

// ---- bench ----

int64_t Calls(const nlohmann::json& report, const std::string& code) {
  int64_t calls = 0;
  for (const char* part : {"calls", "warmup_calls"}) calls += report[part].value(code, 0);
  return calls;
}

TEST_F(CommandsTest, ClosedLoopBenchKeepsItsCallsUnderWayAndCountsEveryOne) {
  inference_.set_delay(std::chrono::milliseconds(5));
  EXPECT_EQ(Ctl({"bench", "--json", "--concurrency=3", "--images-per-request=2", "--warmup=0.1", "--duration=0.4"}), 0)
      << err();
  const nlohmann::json report = Json();
  EXPECT_EQ(inference_.most_calls_at_once(), 3);
  EXPECT_EQ(Calls(report, "OK"), static_cast<int64_t>(inference_.request_sizes().size()));
  EXPECT_THAT(inference_.request_sizes(), Each(2));
  EXPECT_EQ(report["closed_loop_clients"], 3);
  EXPECT_EQ(report["preflight_calls"]["GetModel"], 4);
  EXPECT_EQ(report["batch_size"]["mean"], 2.0);
  EXPECT_EQ(report["images"]["ok"], 2 * report["calls"]["OK"].get<int>());
  EXPECT_GE(report["latency_seconds"]["p50"], 0.005);
  EXPECT_GT(report["client_cpu_seconds"], 0.0);
}

// Constant arrivals at 100/s over 0.1 s + 0.4 s: due at 0.01, 0.02, ... below 0.5.
TEST_F(CommandsTest, OpenLoopBenchSendsWhatIsDueHoweverSlowTheServer) {
  inference_.set_delay(std::chrono::milliseconds(100));
  EXPECT_EQ(Ctl({"bench", "--json", "--rate=100", "--arrivals=constant", "--warmup=0.1", "--duration=0.4"}), 0)
      << err();
  const nlohmann::json report = Json();
  EXPECT_NEAR(Calls(report, "OK"), 49, 1);  // the sum of ten gaps may end on either side of a border
  EXPECT_EQ(Calls(report, "OK"), static_cast<int64_t>(inference_.request_sizes().size()));
  EXPECT_GT(inference_.most_calls_at_once(), 3);
  EXPECT_GE(report["latency_seconds"]["p50"], 0.1);
}

TEST_F(CommandsTest, BenchTensorsHaveTheModelsSize) {
  EXPECT_EQ(Ctl({"bench", "--concurrency=1", "--inputs=3", "--warmup=0", "--duration=0.1"}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("classify, closed loop, 1 clients, u8 tensors, 1 a request"));
  ASSERT_FALSE(inference_.tensors().empty());
  const v1::Tensor u8 = inference_.tensors().back();
  EXPECT_EQ(u8.type(), v1::Tensor::UINT8);
  EXPECT_THAT(u8.shape(), ElementsAre(2, 3, 1));
  EXPECT_EQ(u8.data().size(), 6u);
  EXPECT_EQ(Ctl({"bench", "--method=embed", "--tensor=f32", "--concurrency=1", "--warmup=0", "--duration=0.1"}), 0)
      << err();
  const v1::Tensor f32 = inference_.tensors().back();
  EXPECT_EQ(f32.type(), v1::Tensor::FLOAT32);
  EXPECT_THAT(f32.shape(), ElementsAre(1, 2, 3));
  EXPECT_EQ(f32.data().size(), 24u);
}

TEST_F(CommandsTest, BenchCountsFailuresByCode) {
  const std::string bad = File("bad.png", "bad");
  EXPECT_EQ(Ctl({"bench", "--json", "--image", bad, "--concurrency=1", "--warmup=0", "--duration=0.1"}), 1);
  const nlohmann::json failed = Json();
  EXPECT_EQ(Calls(failed, "INVALID_ARGUMENT"), static_cast<int64_t>(inference_.request_sizes().size()));
  EXPECT_EQ(failed["images"]["failed"], failed["calls"]["INVALID_ARGUMENT"]);
  EXPECT_FALSE(failed.contains("latency_seconds"));

  // In a request of two the good one is answered.
  EXPECT_EQ(Ctl({"bench", "--json", "--image", bad, File("ok.png", "ok 1"), "--images-per-request=2", "--concurrency=1",
                 "--warmup=0", "--duration=0.1"}),
            0);
  const nlohmann::json mixed = Json();
  EXPECT_EQ(mixed["images"]["failed"], mixed["images"]["ok"]);
  EXPECT_EQ(mixed["images"]["ok"], mixed["calls"]["OK"]);
}

TEST_F(CommandsTest, BenchSaysWhichModelIsMissing) {
  EXPECT_EQ(Ctl({"bench", "--model=other", "--concurrency=1"}), 1);
  EXPECT_THAT(err(), HasSubstr("NOT_FOUND: no such model"));
}

// ---- progress ----

// Each takes four seconds, in which nothing is answered.
TEST_F(CommandsTest, LongWorkShowsABarOnATerminalOnly) {
  inference_.set_delay(std::chrono::seconds(4));
  health_.serving_from_check_ = 1 << 30;
  const std::string image = File("a.png", "ok 1");
  const std::vector<std::vector<std::string>> kCases = {
      {"classify", image},
      {"embed", image},
      {"bench", "--concurrency=1", "--warmup=0", "--duration=3"},
      {"health", "--wait=4"},
  };
  struct Ran {
    std::vector<std::string> args;
    bool terminal;
    std::future<std::string> err;
  };
  std::vector<Ran> all;
  for (std::vector<std::string> args : kCases) {
    args.push_back(absl::StrCat("--server=127.0.0.1:", port_));
    for (const bool terminal : {false, true}) {
      all.push_back({args, terminal, std::async(std::launch::async, [args, terminal] {
                       std::ostringstream out, err;
                       cli::Run(args, out, err, terminal);
                       return err.str();
                     })});
    }
  }
  for (Ran& ran : all) {
    SCOPED_TRACE(testing::PrintToString(ran.args));
    const std::string err = ran.err.get();
    if (ran.terminal) {
      EXPECT_THAT(err, HasSubstr("---]"));
      EXPECT_THAT(err, EndsWith("\r\x1b[K")) << "the bar was not wiped";
    } else {
      EXPECT_EQ(err, "");
    }
  }
}

// ---- usage ----

TEST_F(CommandsTest, WrongUsageSendsNothing) {
  const std::string a = File("a.png", "ok 1");
  const std::vector<std::vector<std::string>> kCases = {
      {},
      {"unknown"},
      {"classify"},
      {"classify", "--unknown", a},
      {"classify", "--images-per-request=0", a},
      {"classify", "--expect", "/nonexistent", a},
      {"classify", (fs::create_directories(folder_ / "empty"), (folder_ / "empty").string())},
      {"embed"},
      {"health", "--watch", "--wait", "3"},
      {"bench", "--rate=10", "--concurrency=3"},
      {"bench", "--tensor=f16"},
      {"bench", "--image", "/nonexistent.png"},
      {"--timeout=0", "models"},
  };
  for (const std::vector<std::string>& args : kCases) {
    EXPECT_EQ(Ctl(args), 2) << testing::PrintToString(args);
    EXPECT_NE(err(), "") << testing::PrintToString(args);
  }
  EXPECT_TRUE(inference_.request_sizes().empty());
}

TEST_F(CommandsTest, HelpIsNoError) {
  EXPECT_EQ(Ctl({"--help"}), 0);
  for (const char* command : {"classify", "embed", "models", "health", "bench"}) EXPECT_THAT(out(), HasSubstr(command));
}

TEST(NoServerTest, EveryCommandFailsAndNamesTheServer) {
  const std::vector<std::vector<std::string>> kCases = {{"models"}, {"health"}, {"health", "--wait=0.2"}, {"bench"}};
  for (std::vector<std::string> args : kCases) {
    std::ostringstream out, err;
    // Port 1 needs rights that no test server has.
    args.push_back("--server=127.0.0.1:1");
    EXPECT_EQ(cli::Run(args, out, err, false), 1) << testing::PrintToString(args);
    EXPECT_THAT(err.str(), HasSubstr("127.0.0.1:1: UNAVAILABLE")) << testing::PrintToString(args);
  }
}

}  // namespace
}  // namespace resnetd::cli
