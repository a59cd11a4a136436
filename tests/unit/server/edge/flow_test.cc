// Calls in time: order, backpressure, caps, cancellation, deadlines, draining. The worker is held where a test needs
// work to pile up, so no test waits for a clock to be right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <thread>

#include "absl/time/clock.h"
#include "server/edge/authenticator.h"
#include "tests/support/edge_server.h"
#include "tests/support/http2_client.h"

namespace resnetd::server {
namespace {

using testing::HasSubstr;

std::string Reason(const grpc::Status& status) {
  return Info(Details(status)).reason();
}

// A unary Classify on its own thread.
class Background {
 public:
  Background(v1::InferenceService::Stub& stub, v1::ClassifyRequest request,
             std::chrono::milliseconds deadline = std::chrono::milliseconds(0)) {
    if (deadline.count() > 0) context_.set_deadline(std::chrono::system_clock::now() + deadline);
    thread_ = std::thread(
        [this, &stub, request = std::move(request)] { status_ = stub.Classify(&context_, request, &response_); });
  }
  ~Background() {
    if (thread_.joinable()) thread_.join();
  }
  void Cancel() { context_.TryCancel(); }
  const grpc::Status& Join() {
    thread_.join();
    return status_;
  }
  const v1::ClassifyResponse& response() const { return response_; }

 private:
  grpc::ClientContext context_;
  grpc::Status status_;
  v1::ClassifyResponse response_;
  std::thread thread_;
};

// For conditions that nothing signals; a test that hangs here is stopped by its own time limit.
// Asks once a millisecond, so that the server has the processor in between.
void Await(const std::function<bool()>& condition) {
  while (!condition()) absl::SleepFor(absl::Milliseconds(1));
}

TEST(EdgeStreamTest, AnswersInOrderWithErrorsInTheirPlace) {
  EdgeServer server({.scheduling = {.workers = 2}});
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  constexpr unsigned kRequests = 200;
  std::thread writer([&] {
    for (unsigned i = 0; i < kRequests; ++i) {
      v1::ClassifyRequest request = LogitsRequest({i, i + 1});
      if (i % 7 == 3) request.mutable_options()->set_top_k(-1);
      ASSERT_TRUE(stream->Write(request));
    }
    stream->WritesDone();
  });
  v1::ClassifyStreamResponse response;
  unsigned read = 0;
  for (; stream->Read(&response); ++read) {
    if (read % 7 == 3) {
      ASSERT_TRUE(response.has_error()) << read;
      EXPECT_EQ(response.error().code(), grpc::INVALID_ARGUMENT);
      EXPECT_THAT(response.error().message(), HasSubstr("options.top_k"));
      continue;
    }
    ASSERT_EQ(response.response().results_size(), 2) << read;
    EXPECT_TRUE(IsAnswerOf(response.response().results(0), read)) << read;
    EXPECT_TRUE(IsAnswerOf(response.response().results(1), read + 1)) << read;
  }
  writer.join();
  EXPECT_EQ(read, kRequests);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(EdgeStreamTest, EmbedStream) {
  EdgeServer server;
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto stream = stub->EmbedStream(&context);
  v1::EmbedRequest request;
  *request.add_images() = FakeImage(8);
  ASSERT_TRUE(stream->Write(request));
  v1::EmbedStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  const auto& got = response.response().results(0).embedding();
  EXPECT_EQ(std::vector<float>(got.begin(), got.end()), FakeEmbedding(FakeImage(8).tensor().data()));
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(EdgeStreamTest, MalformedRequestIsAnErrorInItsPlace) {
  EdgeServer server;
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  ASSERT_TRUE(stream->Write(v1::ClassifyRequest()));
  ASSERT_TRUE(stream->Write(LogitsRequest({1})));
  stream->WritesDone();
  v1::ClassifyStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.error().code(), grpc::INVALID_ARGUMENT);
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(IsAnswerOf(response.response().results(0), 1));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(EdgeStreamTest, ReadsNoFurtherThanItsWindow) {
  constexpr int kWindow = 4;
  EdgeServer server({.edge = {.stream_window = kWindow}});
  server.Hold();
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  // The first is taken by the worker alone, the rest of the window waits behind it.
  ASSERT_TRUE(stream->Write(LogitsRequest({0})));
  server.AwaitBatches(1);
  std::thread writer([&] {
    for (unsigned i = 1; i < 40; ++i) stream->Write(LogitsRequest({i}));
    stream->WritesDone();
  });
  server.AwaitWaiting(kWindow - 1);
  // Bytes that the connection carries later find it no further.
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext list;
    v1::ListModelsResponse models;
    EXPECT_TRUE(stub->ListModels(&list, {}, &models).ok());
    EXPECT_EQ(server.scheduler().snapshot().waiting, static_cast<size_t>(kWindow - 1));
  }
  server.Release();
  v1::ClassifyStreamResponse response;
  unsigned read = 0;
  for (; stream->Read(&response); ++read) EXPECT_TRUE(IsAnswerOf(response.response().results(0), read)) << read;
  EXPECT_EQ(read, 40u);
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(EdgeStreamTest, AClientThatDoesNotReadIsNotReadFrom) {
  EdgeServer server;
  grpc::ChannelArguments small_window;  // of answers on their way: 64 KiB, and not growing
  small_window.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  const auto stub = server.NewStub(small_window);
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  constexpr unsigned kRequests = 5000;
  std::thread writer([&] {
    for (unsigned i = 0; i < kRequests && stream->Write(LogitsRequest({i})); ++i) {
    }
    stream->WritesDone();
  });
  // It waits until nothing has moved for a while. Giving up too early would only test less.
  server.AwaitBatches(1);
  for (int still = 0, last = 0; still < 100; still = last == server.images_computed() ? still + 1 : 0) {
    last = server.images_computed();
    absl::SleepFor(absl::Milliseconds(3));
  }
  EXPECT_LT(server.images_computed(), static_cast<int>(kRequests));
  v1::ClassifyStreamResponse response;
  unsigned read = 0;
  for (; stream->Read(&response); ++read) ASSERT_TRUE(IsAnswerOf(response.response().results(0), read)) << read;
  EXPECT_EQ(read, kRequests);
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(EdgeStreamTest, AFullQueueSlowsAStreamDownAndRefusesNothing) {
  // Room for three images to wait, and a window of ten requests of one.
  EdgeServer server({.edge = {.stream_window = 10}, .scheduling = {.max_queue_bytes = 3 * 784}});
  server.Hold();
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  ASSERT_TRUE(stream->Write(LogitsRequest({0})));
  server.AwaitBatches(1);
  for (unsigned i = 1; i < 30; ++i) ASSERT_TRUE(stream->Write(LogitsRequest({i})));
  stream->WritesDone();
  server.AwaitWaiting(3);
  server.Release();
  v1::ClassifyStreamResponse response;
  unsigned read = 0;
  for (; stream->Read(&response); ++read) {
    ASSERT_FALSE(response.has_error()) << read << " " << response.error().message();
    EXPECT_TRUE(IsAnswerOf(response.response().results(0), read)) << read;
  }
  EXPECT_EQ(read, 30u);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(EdgeStreamTest, ARequestLargerThanTheQueueIsRefusedInItsPlace) {
  EdgeServer server({.scheduling = {.max_queue_bytes = 3 * 784}});
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  ASSERT_TRUE(stream->Write(LogitsRequest({1, 2, 3, 4})));
  ASSERT_TRUE(stream->Write(LogitsRequest({1, 2, 3})));
  stream->WritesDone();
  v1::ClassifyStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.error().code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_THAT(response.error().message(), HasSubstr("--max-queue-bytes"));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.response().results_size(), 3);
  EXPECT_TRUE(stream->Finish().ok());
}

// No other moment would change that: so there is no time to come back.
TEST(EdgeFlowTest, ARequestLargerThanTheQueueIsToldSo) {
  EdgeServer server({.scheduling = {.max_queue_bytes = 3 * 784}});
  const auto stub = server.NewStub();
  grpc::ClientContext too_large, fits;
  v1::ClassifyResponse response;
  const grpc::Status refused = stub->Classify(&too_large, LogitsRequest({1, 2, 3, 4}), &response);
  EXPECT_EQ(refused.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Reason(refused), "REQUEST_SIZE");
  EXPECT_THAT(refused.error_message(),
              AllOf(HasSubstr("images of 3136 bytes"), HasSubstr("2352 bytes (--max-queue-bytes)")));
  EXPECT_EQ(too_large.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 0u);
  EXPECT_TRUE(stub->Classify(&fits, LogitsRequest({1, 2, 3}), &response).ok());
}

TEST(EdgeStreamTest, CancelledStreamLeavesNothingBehind) {
  EdgeServer server;
  server.Hold();
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  ASSERT_TRUE(stream->Write(LogitsRequest({0})));
  server.AwaitBatches(1);
  for (unsigned i = 1; i < 6; ++i) ASSERT_TRUE(stream->Write(LogitsRequest({i})));
  server.AwaitWaiting(5);
  context.TryCancel();
  Await([&] { return server.scheduler().snapshot().waiting == 0; });
  server.Release();
  EXPECT_EQ(stream->Finish().error_code(), grpc::CANCELLED);
  Await([&] { return server.edge().calls_in_flight() == 0; });
  EXPECT_EQ(server.images_computed(), 1) << "only what a worker already had";
}

TEST(EdgeFlowTest, CancelledCallFreesItsPlaceInTheQueue) {
  EdgeServer server;
  server.Hold();
  const auto stub = server.NewStub();
  Background first(*stub, LogitsRequest({1}));
  server.AwaitBatches(1);
  Background second(*stub, LogitsRequest({2, 3}));
  server.AwaitWaiting(2);
  second.Cancel();
  EXPECT_EQ(second.Join().error_code(), grpc::CANCELLED);
  Await([&] { return server.scheduler().snapshot().waiting == 0; });
  server.Release();
  EXPECT_TRUE(first.Join().ok());
  EXPECT_EQ(server.images_computed(), 1);
}

TEST(EdgeFlowTest, AConnectionThatBreaksFreesItsPlaceInTheQueue) {
  EdgeServer server;
  server.Hold();
  const auto stub = server.NewStub();
  Background first(*stub, LogitsRequest({1}));
  server.AwaitBatches(1);
  Http2Client connection(server.edge().port());
  connection.Send(connection.Call("Classify"), Framed(LogitsRequest({2}).SerializeAsString()));
  server.AwaitWaiting(1);
  EXPECT_EQ(server.edge().calls_in_flight(), 2);
  connection.Close();
  Await([&] { return server.scheduler().snapshot().waiting == 0; });
  Await([&] { return server.edge().calls_in_flight() == 1; });
  server.Release();
  EXPECT_TRUE(first.Join().ok());
  EXPECT_EQ(server.images_computed(), 1);
}

// Neither an empty stream nor a unary call without its message: the client has gone.
TEST(EdgeFlowTest, CallsCancelledBeforeTheirMessageAreCountedAsCancelled) {
  EdgeServer server;
  const auto stub = server.NewStub();
  for (int i = 0; i < 50; ++i) {
    grpc::ClientContext context;
    const auto stream = stub->ClassifyStream(&context);
    Await([&] { return server.edge().calls_in_flight() == 1; });
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::CANCELLED);
    Await([&] { return server.edge().calls_in_flight() == 0; });
    Http2Client connection(server.edge().port());
    connection.Call("Classify");
    Await([&] { return server.edge().calls_in_flight() == 1; });
    connection.Close();
    Await([&] { return server.edge().calls_in_flight() == 0; });
  }
  const std::string metrics = server.metrics().Scrape();
  EXPECT_THAT(metrics, HasSubstr("resnetd_requests_total{code=\"CANCELLED\",method=\"ClassifyStream\"} 50\n"));
  EXPECT_THAT(metrics, HasSubstr("resnetd_requests_total{code=\"CANCELLED\",method=\"Classify\"} 50\n"));
}

TEST(EdgeFlowTest, DeadlinePassesInTheQueueAndNothingIsComputed) {
  EdgeServer server;
  server.Hold();
  const auto stub = server.NewStub();
  Background first(*stub, LogitsRequest({1}));
  server.AwaitBatches(1);
  Background second(*stub, LogitsRequest({2}), std::chrono::milliseconds(100));
  EXPECT_EQ(second.Join().error_code(), grpc::DEADLINE_EXCEEDED);
  Await([&] { return server.scheduler().snapshot().waiting == 0; });
  server.Release();
  EXPECT_TRUE(first.Join().ok());
  EXPECT_EQ(server.images_computed(), 1);
}

TEST(EdgeFlowTest, AModelsDefaultDeadlineIsForCallsThatBringNone) {
  auto model = FakeModel();
  model->default_deadline = std::chrono::milliseconds(100);
  EdgeServer server({.model = model});
  server.Hold();
  const auto stub = server.NewStub();
  Background first(*stub, LogitsRequest({1}));
  server.AwaitBatches(1);
  Background without(*stub, LogitsRequest({2, 3}));
  Background with(*stub, LogitsRequest({4}), std::chrono::hours(1));
  const grpc::Status& status = without.Join();
  EXPECT_EQ(status.error_code(), grpc::DEADLINE_EXCEEDED) << status.error_message();
  EXPECT_EQ(Reason(status), "DEADLINE_EXCEEDED") << "the server's answer, not the client's own";
  server.Release();
  EXPECT_TRUE(with.Join().ok());
}

TEST(EdgeFlowTest, CallsUpToTheCapAndHealthBeside) {
  EdgeServer server({.edge = {.max_calls_in_flight = 2}});
  server.Hold();
  const auto stub = server.NewStub(), another = server.NewStub();
  Background first(*stub, LogitsRequest({1})), second(*another, LogitsRequest({2}));
  Await([&] { return server.edge().calls_in_flight() == 2; });
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  const grpc::Status refused = stub->Classify(&context, LogitsRequest({3}), &response);
  EXPECT_EQ(refused.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Reason(refused), "CALLS_IN_FLIGHT");
  EXPECT_THAT(refused.error_message(), HasSubstr("--max-calls-in-flight"));
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1u);
  server.Release();
  EXPECT_TRUE(first.Join().ok());
  EXPECT_TRUE(second.Join().ok());
  Await([&] { return server.edge().calls_in_flight() == 0; });
  grpc::ClientContext again;
  EXPECT_TRUE(stub->Classify(&again, LogitsRequest({3}), &response).ok());
}

TEST(EdgeFlowTest, BytesUpToTheCap) {
  const size_t size = LogitsRequest({1}).ByteSizeLong();
  EdgeServer server({.edge = {.max_bytes_in_flight = 2 * size, .max_message_bytes = 2 * size}});
  server.Hold();
  const auto stub = server.NewStub();
  Background first(*stub, LogitsRequest({1}));
  server.AwaitBatches(1);
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  const grpc::Status refused = stub->Classify(&context, LogitsRequest({2, 3}), &response);
  EXPECT_EQ(refused.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Reason(refused), "BYTES_IN_FLIGHT");
  EXPECT_THAT(refused.error_message(), HasSubstr("--max-bytes-in-flight"));
  Await([&] { return server.edge().calls_in_flight() == 1; });  // until then its answer, too, holds bytes
  Background second(*stub, LogitsRequest({2}));
  server.AwaitWaiting(1);
  grpc::ClientContext at_headers;
  EXPECT_EQ(stub->Classify(&at_headers, LogitsRequest({4}), &response).error_code(), grpc::RESOURCE_EXHAUSTED);
  server.Release();
  EXPECT_TRUE(first.Join().ok());
  EXPECT_TRUE(second.Join().ok());
  Await([&] { return server.edge().calls_in_flight() == 0; });  // until then the answers hold theirs
  grpc::ClientContext again;
  EXPECT_TRUE(stub->Classify(&again, LogitsRequest({4}), &response).ok()) << "answered requests hold no bytes";
}

// A GetModel whose client does not read its answer, which is larger than gRPC takes unasked.
class UnreadCall {
 public:
  explicit UnreadCall(v1::InferenceService::Stub& stub) : reader_(stub.PrepareAsyncGetModel(&context_, {}, &queue_)) {
    reader_->StartCall();
    reader_->ReadInitialMetadata(this);
    Next();
  }
  ~UnreadCall() {
    v1::GetModelResponse response;
    grpc::Status status;
    reader_->Finish(&response, &status, this);
    Next();
    EXPECT_TRUE(status.ok()) << status.error_message();
    queue_.Shutdown();
  }

 private:
  void Next() {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue_.Next(&tag, &ok) && ok);
  }

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::GetModelResponse>> reader_;
};

TEST(EdgeFlowTest, AnUnreadAnswerHoldsItsBytesAndNoSlot) {
  constexpr size_t kAnswer = 1 << 20;
  EdgeServer::Setup setup{.edge = {.max_calls_in_flight = 1, .max_bytes_in_flight = kAnswer + kAnswer / 2}};
  setup.edge.max_message_bytes = kAnswer;
  setup.model->description = std::string(kAnswer, 'x');
  EdgeServer server(setup);
  grpc::ChannelArguments small_window;
  small_window.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  small_window.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65535);
  const auto stub = server.NewStub(small_window);
  const auto list = [&] {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    return stub->ListModels(&context, {}, &response);
  };
  {
    UnreadCall first(*stub);
    EXPECT_TRUE(list().ok());
    EXPECT_GE(server.edge().calls_in_flight(), 1) << "the first has its answer to read";
    UnreadCall second(*stub);
    EXPECT_EQ(Reason(list()), "BYTES_IN_FLIGHT");
  }
  Await([&] { return server.edge().calls_in_flight() == 0; });
  EXPECT_TRUE(list().ok());
}

TEST(EdgeFlowTest, AsManyClientsAsSlotsAreNeverRefused) {
  constexpr int kClients = 4, kCalls = 500;
  EdgeServer server({.edge = {.max_calls_in_flight = kClients}});
  std::atomic<int> refused{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&] {
      const auto stub = server.NewStub();
      for (int i = 0; i < kCalls; ++i) {
        grpc::ClientContext context;
        v1::ListModelsResponse response;
        refused += stub->ListModels(&context, {}, &response).ok() ? 0 : 1;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(refused, 0);
}

TEST(EdgeFlowTest, AFullQueueRefusesUnaryCalls) {
  EdgeServer server({.scheduling = {.max_queue_bytes = 784}});
  server.Hold();
  const auto stub = server.NewStub();
  Background first(*stub, LogitsRequest({1}));
  server.AwaitBatches(1);
  Background second(*stub, LogitsRequest({2}));
  server.AwaitWaiting(1);
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  const grpc::Status refused = stub->Classify(&context, LogitsRequest({3}), &response);
  EXPECT_EQ(refused.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Reason(refused), "QUEUE_BYTES");
  EXPECT_THAT(refused.error_message(), HasSubstr("--max-queue-bytes"));
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1u);
  server.Release();
  EXPECT_TRUE(first.Join().ok());
  EXPECT_TRUE(second.Join().ok());
}

TEST(EdgeFlowTest, DrainingRefusesNewCallsAndFinishesAdmittedOnes) {
  EdgeServer server;
  server.Hold();
  const auto stub = server.NewStub();
  Background admitted(*stub, LogitsRequest({1}));
  server.AwaitBatches(1);
  server.edge().RefuseNewCalls();
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  const grpc::Status refused = stub->Classify(&context, LogitsRequest({2}), &response);
  EXPECT_EQ(refused.error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(Reason(refused), "DRAINING");
  EXPECT_EQ(server.edge().calls_in_flight(), 1);
  server.Release();
  EXPECT_TRUE(admitted.Join().ok());
  EXPECT_TRUE(IsAnswerOf(admitted.response().results(0), 1));
  Await([&] { return server.edge().calls_in_flight() == 0; });
}

TEST(EdgeFlowTest, DrainingUnderLoadCancelsNothing) {
  EdgeServer server({.scheduling = {.workers = 2}});
  std::atomic<int> answered{0}, drained{0};
  std::vector<std::thread> clients;
  for (unsigned c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      const auto stub = server.NewStub();
      for (unsigned i = 0;; ++i) {
        grpc::ClientContext context;
        v1::ClassifyResponse response;
        const grpc::Status status = stub->Classify(&context, LogitsRequest({c, i}), &response);
        if (!status.ok()) {
          EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE) << status.error_message();
          EXPECT_EQ(Reason(status), "DRAINING");
          ++drained;
          return;
        }
        EXPECT_TRUE(IsAnswerOf(response.results(1), i));
        ++answered;
      }
    });
  }
  Await([&] { return answered >= 200; });
  server.edge().RefuseNewCalls();
  for (std::thread& t : clients) t.join();
  EXPECT_EQ(drained, 4);
  Await([&] { return server.edge().calls_in_flight() == 0; });
  EXPECT_EQ(server.images_computed(), 2 * answered);
}

TEST(EdgeFlowTest, DrainingAnswersAStreamsLaterRequestsInTheirPlace) {
  EdgeServer server;
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  v1::ClassifyStreamResponse response;
  ASSERT_TRUE(stream->Write(LogitsRequest({1})));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.has_response());
  server.edge().RefuseNewCalls();
  ASSERT_TRUE(stream->Write(LogitsRequest({2})));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.error().code(), grpc::UNAVAILABLE);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(EdgeFlowTest, ShutdownEndsWhatIsStillThere) {
  EdgeServer server;
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  ASSERT_TRUE(stream->Write(LogitsRequest({1})));
  v1::ClassifyStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  server.edge().Shutdown(std::chrono::steady_clock::now() + std::chrono::milliseconds(50));
  EXPECT_EQ(server.edge().calls_in_flight(), 0);
  EXPECT_EQ(stream->Finish().error_code(), grpc::UNAVAILABLE);
}

// gRPC's own end answers with CANCELLED what arrives while it begins.
TEST(EdgeFlowTest, ShutdownUnderLoadCancelsNothing) {
  for (int round = 0; round < 10; ++round) {
    EdgeServer server({.scheduling = {.workers = 2}});
    std::atomic<int> answered{0}, drained{0};
    std::atomic<bool> over{false};
    std::vector<std::thread> clients;
    for (unsigned c = 0; c < 4; ++c) {
      clients.emplace_back([&, c] {
        const auto stub = server.NewStub();
        for (unsigned i = 0; !over; ++i) {
          grpc::ClientContext context;
          v1::ClassifyResponse response;
          const grpc::Status status = stub->Classify(&context, LogitsRequest({c, i}), &response);
          if (status.ok()) {
            ++answered;
          } else {
            EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE) << status.error_message();
            if (Reason(status) == "DRAINING") ++drained;
          }
        }
      });
    }
    Await([&] { return answered >= 50; });
    server.edge().RefuseNewCalls();
    Await([&] { return drained >= 20; });
    server.edge().Shutdown(std::chrono::steady_clock::now() + std::chrono::seconds(10));
    over = true;
    for (std::thread& t : clients) t.join();
    EXPECT_EQ(server.images_computed(), 2 * answered);
  }
}

TEST(EdgeFlowTest, AStormOfCancellationsLeavesNothingBehind) {
  EdgeServer server({.edge = {.max_calls_in_flight = 12, .stream_window = 3},
                     .scheduling = {.max_queue_bytes = 20 * 784, .workers = 2}});
  std::atomic<int> wrong{0};
  std::vector<std::thread> clients;
  for (unsigned c = 0; c < 6; ++c) {
    clients.emplace_back([&, c] {
      std::mt19937 random(c);
      const auto stub = server.NewStub();
      for (unsigned i = 0; i < 150; ++i) {
        grpc::ClientContext context;
        if (random() % 4 == 0) {
          context.set_deadline(std::chrono::system_clock::now() + std::chrono::microseconds(random() % 2000));
        }
        std::thread canceller([&context, after = random() % 1500, cancel = random() % 2 == 0] {
          absl::SleepFor(absl::Microseconds(after));  // so that cancellations meet calls at each of their steps
          if (cancel) context.TryCancel();
        });
        const unsigned seed = c * 1000 + i;
        if (random() % 2 == 0) {
          v1::ClassifyResponse response;
          const grpc::Status status = stub->Classify(&context, LogitsRequest({seed, seed + 1}), &response);
          // The deadline may end the second of two images, and the answer arrive before the client notices it.
          const bool late = status.ok() && response.results(1).status().code() == grpc::DEADLINE_EXCEEDED;
          if (status.ok() && !late && !IsAnswerOf(response.results(1), seed + 1)) ++wrong;
        } else {
          const auto stream = stub->ClassifyStream(&context);
          for (unsigned n = 0; n < 8 && stream->Write(LogitsRequest({seed + n})); ++n) {
          }
          stream->WritesDone();
          v1::ClassifyStreamResponse response;
          for (unsigned n = 0; stream->Read(&response); ++n) {
            if (response.has_response() && !IsAnswerOf(response.response().results(0), seed + n)) ++wrong;
          }
          stream->Finish();
        }
        canceller.join();
      }
    });
  }
  for (std::thread& t : clients) t.join();
  EXPECT_EQ(wrong, 0);
  Await([&] { return server.edge().calls_in_flight() == 0; });
  EXPECT_EQ(server.scheduler().snapshot().waiting, 0u);
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  ASSERT_TRUE(stub->Classify(&context, LogitsRequest({1}), &response).ok());
  EXPECT_TRUE(IsAnswerOf(response.results(0), 1));
}

class OneTokenOnly final : public Authenticator {
 public:
  absl::StatusOr<PrincipalId> Authenticate(const Metadata& metadata) override {
    const auto it = metadata.find("token");
    if (it == metadata.end()) return absl::UnauthenticatedError("no token");
    if (it->second != "good") return absl::PermissionDeniedError("not with this token");
    return PrincipalId{7};
  }
};

TEST(EdgeFlowTest, AuthenticatorDecidesAtTheHeaders) {
  EdgeServer server({.edge = {.authenticator = std::make_shared<OneTokenOnly>()}});
  const auto stub = server.NewStub();
  for (const auto& [token, code] : std::vector<std::pair<std::string, grpc::StatusCode>>{
           {"", grpc::UNAUTHENTICATED}, {"bad", grpc::PERMISSION_DENIED}, {"good", grpc::OK}}) {
    grpc::ClientContext context;
    if (!token.empty()) context.AddMetadata("token", token);
    v1::ClassifyResponse response;
    EXPECT_EQ(stub->Classify(&context, LogitsRequest({1}), &response).error_code(), code) << token;
  }
}

}  // namespace
}  // namespace resnetd::server
