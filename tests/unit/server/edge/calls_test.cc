// Calls as clients make them: answers, bad input, limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "tests/support/edge_server.h"

namespace resnetd::server {
namespace {

using testing::HasSubstr;

struct Reply {
  grpc::Status status;
  v1::ClassifyResponse response;
  std::string pushback;
};

Reply Classify(v1::InferenceService::Stub& stub, const v1::ClassifyRequest& request) {
  grpc::ClientContext context;
  Reply reply;
  reply.status = stub.Classify(&context, request, &reply.response);
  const auto& trailers = context.GetServerTrailingMetadata();
  if (const auto it = trailers.find("grpc-retry-pushback-ms"); it != trailers.end()) {
    reply.pushback = std::string(it->second.data(), it->second.size());
  }
  return reply;
}

TEST(EdgeCallsTest, ClassifyAnswersEachImageInOrder) {
  EdgeServer server;
  const auto stub = server.NewStub();
  const Reply reply = Classify(*stub, LogitsRequest({5, 6, 7}));
  ASSERT_TRUE(reply.status.ok()) << reply.status.error_message();
  EXPECT_EQ(reply.response.model(), "fake");
  EXPECT_EQ(reply.response.model_version(), "1");
  EXPECT_EQ(reply.response.recipe_id(), "custom");
  EXPECT_EQ(reply.response.recipe_hash(), "0123456789abcdef");
  ASSERT_EQ(reply.response.results_size(), 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(IsAnswerOf(reply.response.results(i), 5 + i)) << i;
    const v1::Execution& execution = reply.response.results(i).execution();
    EXPECT_GT(execution.batch_size(), 0);
    EXPECT_GE(execution.queue_seconds(), 0);
    EXPECT_GE(execution.total_seconds(), execution.queue_seconds());
  }
  EXPECT_EQ(reply.response.results(0).classes(0).label(),
            "class " + std::to_string(reply.response.results(0).classes(0).index()));
}

TEST(EdgeCallsTest, DefaultsAreFiveProbabilities) {
  EdgeServer server;
  const auto stub = server.NewStub();
  v1::ClassifyRequest request = LogitsRequest({1});
  request.clear_options();
  const Reply reply = Classify(*stub, request);
  ASSERT_TRUE(reply.status.ok());
  const v1::ClassifyResult& result = reply.response.results(0);
  ASSERT_EQ(result.classes_size(), 5);
  float last = 1, sum = 0;
  for (const v1::Class& c : result.classes()) {
    EXPECT_LE(c.score(), last);
    sum += last = c.score();
  }
  EXPECT_LE(sum, 1.0001f);
}

TEST(EdgeCallsTest, EmbedAndPredict) {
  EdgeServer server;
  const auto stub = server.NewStub();
  const std::vector<float> expected = FakeEmbedding(FakeImage(3).tensor().data());
  {
    v1::EmbedRequest request;
    *request.add_images() = FakeImage(3);
    request.mutable_options()->set_l2_normalize(true);
    v1::EmbedResponse response;
    grpc::ClientContext context;
    ASSERT_TRUE(stub->Embed(&context, request, &response).ok());
    double squares = 0;
    for (float x : response.results(0).embedding()) squares += static_cast<double>(x) * x;
    EXPECT_EQ(response.results(0).embedding_size(), 4);
    EXPECT_NEAR(squares, 1, 1e-6);
  }
  v1::PredictRequest request;
  *request.add_images() = FakeImage(3);
  request.mutable_classify()->set_top_k(1);
  v1::PredictResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(stub->Predict(&context, request, &response).ok());
  EXPECT_EQ(response.results(0).classes_size(), 1);
  EXPECT_EQ(std::vector<float>(response.results(0).embedding().begin(), response.results(0).embedding().end()),
            expected);
}

std::vector<float> Values(const v1::LayerEmbedding& layer) {
  return {layer.values().begin(), layer.values().end()};
}

// The stand-in yields nothing that an item does not say it wants.
TEST(EdgeCallsTest, LayersInTheOrderOfTheRequest) {
  EdgeServer server;
  const auto stub = server.NewStub();
  const std::string bytes = FakeImage(3).tensor().data();
  v1::PredictRequest request;
  *request.add_images() = FakeImage(3);
  for (const char* layer : {"map", "logits", "pool"}) request.mutable_embed()->add_layers(layer);
  v1::PredictResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(stub->Predict(&context, request, &response).ok());
  const v1::PredictResult& result = response.results(0);
  EXPECT_EQ(result.classes_size(), 5);
  EXPECT_EQ(result.embedding_size(), 0);
  ASSERT_EQ(result.layers_size(), 3);
  EXPECT_EQ(result.layers(0).layer(), "map");
  EXPECT_EQ(Values(result.layers(0)), FakeMap(bytes));
  EXPECT_EQ(Values(result.layers(1)), FakeLogits(bytes));
  EXPECT_EQ(result.layers(1).embedding_space(), "fake/logits");
  EXPECT_EQ(Values(result.layers(2)), FakeEmbedding(bytes));
}

TEST(EdgeCallsTest, StreamsTakeLayersToo) {
  EdgeServer server;
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto stream = stub->EmbedStream(&context);
  for (const char* layer : {"map", "nothing", "pool"}) {
    v1::EmbedRequest request;
    *request.add_images() = FakeImage(4);
    request.mutable_options()->add_layers(layer);
    ASSERT_TRUE(stream->Write(request));
  }
  stream->WritesDone();
  const std::string bytes = FakeImage(4).tensor().data();
  v1::EmbedStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(Values(response.response().results(0).layers(0)), FakeMap(bytes));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.error().code(), grpc::INVALID_ARGUMENT);
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(Values(response.response().results(0).layers(0)), FakeEmbedding(bytes));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(EdgeCallsTest, EmbeddingsSayTheirSpace) {
  EdgeServer server;
  const auto stub = server.NewStub();
  struct Case {
    int dimensions;
    bool l2_normalize;
    const char* space;
  };
  for (const Case& c : {Case{0, false, "fake/pool"}, Case{0, true, "fake/pool/l2"}, Case{2, false, "fake/pool/2"},
                        Case{2, true, "fake/pool/2/l2"}}) {
    for (const char* required : {c.space, "another"}) {
      v1::EmbedRequest request;
      *request.add_images() = FakeImage(3);
      request.mutable_options()->set_dimensions(c.dimensions);
      request.mutable_options()->set_l2_normalize(c.l2_normalize);
      request.mutable_options()->add_require_space(required);
      v1::EmbedResponse response;
      grpc::ClientContext context;
      const grpc::Status status = stub->Embed(&context, request, &response);
      if (required != c.space) {
        EXPECT_EQ(status.error_code(), grpc::FAILED_PRECONDITION) << c.space;
        EXPECT_EQ(Info(Details(status)).reason(), "OTHER_EMBEDDING_SPACE");
        EXPECT_EQ(Info(Details(status)).metadata().at("actual"), c.space);
        continue;
      }
      ASSERT_TRUE(status.ok()) << status.error_message();
      EXPECT_EQ(response.results(0).embedding_space(), c.space);
      EXPECT_EQ(response.results(0).embedding_size(), c.dimensions == 0 ? 4 : c.dimensions);
    }
  }
}

TEST(EdgeCallsTest, ModelsAreListedAndDescribed) {
  EdgeServer server;
  const auto stub = server.NewStub();
  v1::ListModelsResponse list;
  grpc::ClientContext list_context;
  ASSERT_TRUE(stub->ListModels(&list_context, {}, &list).ok());
  ASSERT_EQ(list.models_size(), 1);
  EXPECT_EQ(list.models(0).name(), "fake");
  EXPECT_EQ(list.models(0).state(), v1::ModelSummary::READY);
  v1::GetModelResponse model;
  grpc::ClientContext get_context;
  ASSERT_TRUE(stub->GetModel(&get_context, {}, &model).ok());
  EXPECT_EQ(model.input().height(), 28);
  EXPECT_EQ(model.labels_size(), 10);
  EXPECT_EQ(model.classes(), 10);
  EXPECT_EQ(model.embedding_size(), 4);
  EXPECT_EQ(model.precision(), "f32");
  EXPECT_FALSE(model.recipe().empty());
  ASSERT_EQ(model.heads_size(), 1);
  EXPECT_EQ(model.heads(0).name(), "logits");
  EXPECT_EQ(model.heads(0).activation(), v1::Head::SOFTMAX);
  ASSERT_EQ(model.layers_size(), 3);
  EXPECT_EQ(model.layers(1).name(), "pool");
  ASSERT_EQ(model.layers(1).spaces_size(), 4);
  EXPECT_EQ(model.layers(1).spaces(3).id(), "fake/pool/2/l2");
  EXPECT_EQ(model.layers(1).spaces(3).dimensions(), 2);
  EXPECT_TRUE(model.layers(1).spaces(3).l2_normalized());
  EXPECT_EQ(model.layers(2).shape_size(), 3);
}

struct BadCase {
  const char* name;
  void (*spoil)(v1::ClassifyRequest&);
  grpc::StatusCode code;
  const char* field;
  const char* reason;
  std::vector<const char*> says;
};

const BadCase kBadRequests[] = {
    {"empty request",
     [](v1::ClassifyRequest& r) { r.Clear(); },
     grpc::INVALID_ARGUMENT,
     "images",
     "INVALID_FIELD",
     {"expected 1 to 64", "got 0"}},
    {"no source",
     [](v1::ClassifyRequest& r) { r.mutable_images(0)->Clear(); },
     grpc::INVALID_ARGUMENT,
     "images[0]",
     "INVALID_FIELD",
     {"neither"}},
    {"empty image",
     [](v1::ClassifyRequest& r) { r.mutable_images(0)->set_encoded(""); },
     grpc::INVALID_ARGUMENT,
     "images[0].encoded",
     "BAD_IMAGE",
     {}},
    {"text",
     [](v1::ClassifyRequest& r) { r.mutable_images(0)->set_encoded("hello, this is no image"); },
     grpc::INVALID_ARGUMENT,
     "images[0].encoded",
     "BAD_IMAGE",
     {"JPEG", "PNG"}},
    {"shape",
     [](v1::ClassifyRequest& r) { r.mutable_images(0)->mutable_tensor()->set_shape(2, 3); },
     grpc::INVALID_ARGUMENT,
     "images[0].tensor.shape",
     "INVALID_FIELD",
     {"[height, width, 1]", "[28, 28, 3]"}},
    {"dtype",
     [](v1::ClassifyRequest& r) { r.mutable_images(0)->mutable_tensor()->set_type(v1::Tensor::TYPE_UNSPECIFIED); },
     grpc::INVALID_ARGUMENT,
     "images[0].tensor.type",
     "INVALID_FIELD",
     {"UINT8, FLOAT32 or FLOAT16", "TYPE_UNSPECIFIED"}},
    {"byte count",
     [](v1::ClassifyRequest& r) { r.mutable_images(0)->mutable_tensor()->set_data("x"); },
     grpc::INVALID_ARGUMENT,
     "images[0].tensor.data",
     "INVALID_FIELD",
     {"784", "got 1"}},
    {"top_k -1",
     [](v1::ClassifyRequest& r) { r.mutable_options()->set_top_k(-1); },
     grpc::INVALID_ARGUMENT,
     "options.top_k",
     "INVALID_FIELD",
     {"1 to 10", "got -1"}},
    {"threshold NaN",
     [](v1::ClassifyRequest& r) { r.mutable_options()->set_threshold(std::nanf("")); },
     grpc::INVALID_ARGUMENT,
     "options.threshold",
     "INVALID_FIELD",
     {"finite"}},
    {"unknown model",
     [](v1::ClassifyRequest& r) { r.set_model("nobody"); },
     grpc::NOT_FOUND,
     "",
     "MODEL_NOT_FOUND",
     {"nobody", "fake"}},
    {"unknown version",
     [](v1::ClassifyRequest& r) { r.set_model_version("99"); },
     grpc::NOT_FOUND,
     "",
     "MODEL_NOT_FOUND",
     {"99", "fake"}},
};

TEST(EdgeCallsTest, BadRequestsSayWhatIsWrong) {
  EdgeServer server;
  const auto stub = server.NewStub();
  for (const BadCase& c : kBadRequests) {
    SCOPED_TRACE(c.name);
    v1::ClassifyRequest request = LogitsRequest({1});
    c.spoil(request);
    const Reply reply = Classify(*stub, request);
    EXPECT_EQ(reply.status.error_code(), c.code) << reply.status.error_message();
    const google::rpc::Status details = Details(reply.status);
    EXPECT_EQ(details.code(), c.code);
    EXPECT_EQ(details.message(), reply.status.error_message());
    EXPECT_EQ(Field(details), c.field);
    EXPECT_EQ(Info(details).reason(), c.reason);
    EXPECT_EQ(Info(details).domain(), "resnetd");
    for (const char* text : c.says) EXPECT_THAT(reply.status.error_message(), HasSubstr(text));
    EXPECT_TRUE(Classify(*stub, LogitsRequest({1})).status.ok()) << "the next call is untouched";
  }
  EXPECT_EQ(server.images_computed(), static_cast<int>(std::size(kBadRequests)));
}

TEST(EdgeCallsTest, InABatchABadImageFailsAlone) {
  EdgeServer server;
  const auto stub = server.NewStub();
  v1::ClassifyRequest request = LogitsRequest({1, 2, 3, 4});
  request.mutable_images(1)->mutable_tensor()->set_data("short");
  request.mutable_images(2)->set_encoded("\x89PNG no more than that");
  const Reply reply = Classify(*stub, request);
  ASSERT_TRUE(reply.status.ok()) << reply.status.error_message();
  ASSERT_EQ(reply.response.results_size(), 4);
  EXPECT_TRUE(IsAnswerOf(reply.response.results(0), 1));
  EXPECT_TRUE(IsAnswerOf(reply.response.results(3), 4));
  for (int i : {1, 2}) {
    EXPECT_EQ(reply.response.results(i).status().code(), grpc::INVALID_ARGUMENT);
    EXPECT_EQ(reply.response.results(i).classes_size(), 0);
  }
  EXPECT_EQ(Field(reply.response.results(1).status()), "images[1].tensor.data");
  EXPECT_EQ(Field(reply.response.results(2).status()), "images[2].encoded");
}

TEST(EdgeCallsTest, WhereAllImagesAreBadNothingIsAdmitted) {
  EdgeServer server;
  const auto stub = server.NewStub();
  v1::ClassifyRequest request;
  request.add_images()->set_encoded("a");
  request.add_images()->set_encoded("b");
  const Reply reply = Classify(*stub, request);
  ASSERT_TRUE(reply.status.ok());
  for (const auto& result : reply.response.results()) EXPECT_EQ(result.status().code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(server.images_computed(), 0);
}

TEST(EdgeCallsTest, ImagesUpToTheLimit) {
  EdgeServer server({.edge = {.max_images_per_request = 3}});
  const auto stub = server.NewStub();
  EXPECT_TRUE(Classify(*stub, LogitsRequest({1, 2, 3})).status.ok());
  const Reply reply = Classify(*stub, LogitsRequest({1, 2, 3, 4}));
  EXPECT_EQ(reply.status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(reply.status.error_message(), HasSubstr("--max-images-per-request"));
}

TEST(EdgeCallsTest, MessagesUpToTheLimit) {
  const v1::ClassifyRequest request = LogitsRequest({1});
  const size_t size = request.ByteSizeLong();
  for (size_t limit : {size, size - 1}) {
    EdgeServer server({.edge = {.max_message_bytes = limit}});
    const Reply reply = Classify(*server.NewStub(), request);
    if (limit == size) {
      EXPECT_TRUE(reply.status.ok()) << reply.status.error_message();
      continue;
    }
    EXPECT_EQ(reply.status.error_code(), grpc::RESOURCE_EXHAUSTED);
    EXPECT_EQ(Info(Details(reply.status)).reason(), "MESSAGE_SIZE");
    EXPECT_THAT(reply.status.error_message(), HasSubstr("--max-message-bytes"));
    EXPECT_THAT(reply.status.error_message(), HasSubstr(std::to_string(limit)));
  }
}

TEST(EdgeCallsTest, MuchTooLargeMessagesAreRefusedAlike) {
  EdgeServer server({.edge = {.max_message_bytes = 1 << 20}});
  const auto stub = server.NewStub();
  v1::ClassifyRequest request;
  request.add_images()->set_encoded(std::string(size_t{40} << 20, 'x'));
  const Reply reply = Classify(*stub, request);
  EXPECT_EQ(reply.status.error_code(), grpc::RESOURCE_EXHAUSTED) << reply.status.error_message();
  EXPECT_THAT(reply.status.error_message(), HasSubstr("--max-message-bytes"));
  EXPECT_TRUE(Classify(*stub, LogitsRequest({1})).status.ok());
}

TEST(EdgeCallsTest, MixedCallersEachGetTheirOwn) {
  EdgeServer server({.scheduling = {.workers = 2}});
  constexpr int kClients = 8, kCalls = 100;
  std::atomic<int> right{0};
  std::vector<std::thread> clients;
  for (unsigned c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      const auto stub = server.NewStub();
      for (unsigned i = 0; i < kCalls; ++i) {
        std::vector<unsigned> seeds;
        for (unsigned n = 0; n <= (c + i) % 5; ++n) seeds.push_back(c * 10'000 + i * 10 + n);
        const Reply reply = Classify(*stub, LogitsRequest(seeds));
        EXPECT_TRUE(reply.status.ok()) << "client " << c << " call " << i << ": " << reply.status.error_message();
        bool all = reply.status.ok() && reply.response.results_size() == static_cast<int>(seeds.size());
        for (size_t n = 0; all && n < seeds.size(); ++n) {
          all = IsAnswerOf(reply.response.results(static_cast<int>(n)), seeds[n]);
        }
        right += all ? 1 : 0;
      }
    });
  }
  for (std::thread& t : clients) t.join();
  EXPECT_EQ(right, kClients * kCalls);
}

}  // namespace
}  // namespace resnetd::server
