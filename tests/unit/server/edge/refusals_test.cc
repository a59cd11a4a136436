// Refusals under load: which are held, and what lets them go. The worker is held, the pace lets nothing pass but the
// burst, and a refusal may be held for hours: nothing depends on time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "tests/support/edge_server.h"

namespace resnetd::server {
namespace {

// Asks once a millisecond, so that the server has the processor in between.
void Await(const std::function<bool()>& condition) {
  while (!condition()) absl::SleepFor(absl::Milliseconds(1));
}

// A Classify of one image on its own thread.
class Caller {
 public:
  explicit Caller(v1::InferenceService::Stub& stub)
      : thread_([this, &stub] {
          context_.set_deadline(std::chrono::system_clock::now() + std::chrono::hours(1));
          status_ = stub.Classify(&context_, LogitsRequest({1}), &response_);
        }) {}
  ~Caller() {
    if (thread_.joinable()) thread_.join();
  }
  void Cancel() { context_.TryCancel(); }
  grpc::StatusCode Code() {
    if (thread_.joinable()) thread_.join();
    return status_.error_code();
  }
  std::string Reason() { return Info(Details(status_)).reason(); }

 private:
  grpc::ClientContext context_;
  v1::ClassifyResponse response_;
  grpc::Status status_;
  std::thread thread_;
};

// A server whose worker is busy and whose queue is full, so that every further call is refused.
class HeldRefusals : public testing::Test {
 protected:
  void Start(RefusalPace pace, const std::vector<std::string>& proxies = {}) {
    EdgeServer::Setup setup;
    setup.scheduling.max_queue_time = Duration::zero();
    setup.edge.max_calls_in_flight = 1;  // held calls have no slot: none of these tests is refused for want of one
    setup.edge.refusals = pace;
    setup.edge.trusted_proxies = proxies;
    server_ = std::make_unique<EdgeServer>(setup);
    stub_ = server_->NewStub();
    server_->Hold();
    computing_ = std::make_unique<Caller>(*stub_);
    server_->AwaitBatches(1);
  }
  static RefusalPace NonePasses() {
    return {.interval = Duration::max(), .burst = 0, .most_held = 100, .longest = std::chrono::hours(10)};
  }
  // Calls, and waits until as many refusals are held.
  Caller& CallAndBeHeld() {
    const int held = server_->edge().refusals_held();
    callers_.push_back(std::make_unique<Caller>(*stub_));
    Await([&] { return server_->edge().refusals_held() == held + 1; });
    return *callers_.back();
  }

  std::unique_ptr<EdgeServer> server_;
  std::unique_ptr<v1::InferenceService::Stub> stub_;
  std::unique_ptr<Caller> computing_;
  std::vector<std::unique_ptr<Caller>> callers_;
};

TEST_F(HeldRefusals, GoWhenAWorkerIsIdle) {
  Start(NonePasses());
  CallAndBeHeld();
  CallAndBeHeld();
  EXPECT_EQ(server_->edge().calls_in_flight(), 1);
  server_->Release();
  EXPECT_EQ(computing_->Code(), grpc::StatusCode::OK);
  for (const auto& caller : callers_) {
    EXPECT_EQ(caller->Code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(caller->Reason(), "QUEUE_TIME");
  }
  EXPECT_EQ(server_->edge().refusals_held(), 0);
  EXPECT_EQ(server_->images_computed(), 1);
  // And the next is served.
  EXPECT_EQ(Caller(*stub_).Code(), grpc::StatusCode::OK);
}

TEST_F(HeldRefusals, TheFirstAreNotHeld) {
  RefusalPace pace = NonePasses();
  pace.burst = 2;
  Start(pace);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Caller(*stub_).Code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  CallAndBeHeld();
  server_->Release();
}

TEST_F(HeldRefusals, AreBounded) {
  RefusalPace pace = NonePasses();
  pace.most_held = 2;
  Start(pace);
  CallAndBeHeld();
  CallAndBeHeld();
  EXPECT_EQ(Caller(*stub_).Code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(server_->edge().refusals_held(), 2);
  server_->Release();
}

TEST_F(HeldRefusals, GoWhenTheirLongestTimeIsOver) {
  RefusalPace pace = NonePasses();
  pace.longest = std::chrono::milliseconds(1);
  Start(pace);
  EXPECT_EQ(Caller(*stub_).Code(), grpc::StatusCode::RESOURCE_EXHAUSTED);  // the worker is still busy
  server_->Release();
}

TEST_F(HeldRefusals, GoWithTheirClients) {
  Start(NonePasses());
  Caller& first = CallAndBeHeld();
  CallAndBeHeld();
  first.Cancel();
  EXPECT_EQ(first.Code(), grpc::StatusCode::CANCELLED);
  Await([&] { return server_->edge().refusals_held() == 1; });
  server_->Release();
  EXPECT_EQ(callers_[1]->Code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(HeldRefusals, GoWhenTheServerDrains) {
  Start(NonePasses());
  CallAndBeHeld();
  CallAndBeHeld();
  server_->edge().RefuseNewCalls();
  for (const auto& caller : callers_) EXPECT_EQ(caller->Code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Caller(*stub_).Code(), grpc::StatusCode::UNAVAILABLE);
  server_->Release();
  EXPECT_EQ(computing_->Code(), grpc::StatusCode::OK);
}

// Three calls of one connection are held, and nobody else's.
RefusalPace RestsAfterThree(RefusalPace pace) {
  pace.crowd = 2;
  pace.crowd_of_one = 3;
  pace.lull = std::chrono::hours(10);
  return pace;
}

TEST_F(HeldRefusals, AConnectionWithManyHasALull) {
  Start(RestsAfterThree(NonePasses()));
  const auto other = server_->NewStub();
  CallAndBeHeld();
  CallAndBeHeld();
  callers_.push_back(std::make_unique<Caller>(*stub_));  // the third: all go out at once, and no more is read
  for (const auto& caller : callers_) EXPECT_EQ(caller->Code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  Caller unread(*stub_);
  Caller read(*other);
  Await([&] { return server_->edge().refusals_held() == 1; });
  server_->Release();
  EXPECT_EQ(computing_->Code(), grpc::StatusCode::OK);
  EXPECT_EQ(read.Code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(server_->metrics().Scrape(), testing::HasSubstr("\nresnetd_connection_pauses_total 1\n"));
  EXPECT_EQ(unread.Code(), grpc::StatusCode::OK);  // the lull ends as a worker is idle
}

TEST_F(HeldRefusals, CallsThatOutliveALullBringNone) {
  RefusalPace pace = RestsAfterThree(NonePasses());
  pace.lull = std::chrono::minutes(59);
  Start(pace);
  for (int i = 0; i < 5; ++i) CallAndBeHeld();
  server_->Release();
}

TEST_F(HeldRefusals, AProxyHasNoLull) {
  Start(RestsAfterThree(NonePasses()), {"127.0.0.0/8"});
  for (int i = 0; i < 5; ++i) CallAndBeHeld();
  server_->Release();
}

TEST_F(HeldRefusals, EndWithTheServer) {
  Start(NonePasses());
  CallAndBeHeld();
  server_->Release();
  server_.reset();
  EXPECT_NE(callers_[0]->Code(), grpc::StatusCode::OK);
}

// A call that computes nothing is answered, and one that waits by itself is let in, however full the queue.
TEST_F(HeldRefusals, AreOfCallsThatWantToBeComputed) {
  Start(NonePasses());
  grpc::ClientContext context;
  v1::ListModelsResponse models;
  const grpc::Status status = stub_->ListModels(&context, {}, &models);
  EXPECT_EQ(Info(Details(status)).reason(), "CALLS_IN_FLIGHT") << "came to the gate";
  grpc::ClientContext stream_context;
  const auto stream = stub_->ClassifyStream(&stream_context);
  v1::ClassifyStreamResponse response;
  ASSERT_TRUE(stream->Write(LogitsRequest({1})));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(Info(response.error()).reason(), "CALLS_IN_FLIGHT");
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(server_->edge().refusals_held(), 0);
  server_->Release();
}

TEST(ConnectionTest, ClientsKeepWhatIsBeyondTheCapOfAConnection) {
  EdgeServer server({.edge = {.max_calls_per_connection = 2}});
  server.Hold();
  const auto stub = server.NewStub();
  std::vector<std::unique_ptr<Caller>> callers;
  callers.push_back(std::make_unique<Caller>(*stub));
  server.AwaitBatches(1);  // the client has the settings by now
  for (int i = 0; i < 3; ++i) callers.push_back(std::make_unique<Caller>(*stub));
  server.AwaitWaiting(1);
  const auto other = server.NewStub();  // a connection of its own
  callers.push_back(std::make_unique<Caller>(*other));
  server.AwaitWaiting(2);
  EXPECT_EQ(server.edge().calls_in_flight(), 3);
  server.Release();
  for (const auto& caller : callers) EXPECT_EQ(caller->Code(), grpc::StatusCode::OK);
}

}  // namespace
}  // namespace resnetd::server
