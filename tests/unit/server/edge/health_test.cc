// The health service: what it says, whom it tells of changes, and that nothing keeps it from answering.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "server/edge/authenticator.h"
#include "server/edge/watch.h"
#include "tests/support/edge_server.h"

namespace resnetd::server {
namespace {

using HealthStub = grpc::health::v1::Health::Stub;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using testing::HasSubstr;

std::unique_ptr<HealthStub> NewHealthStub(const EdgeServer& server) {
  return grpc::health::v1::Health::NewStub(server.NewChannel());
}

HealthCheckRequest Of(const std::string& name) {
  HealthCheckRequest request;
  request.set_service(name);
  return request;
}

grpc::Status CheckStatus(HealthStub& stub, const std::string& name, HealthCheckResponse& response) {
  grpc::ClientContext context;
  return stub.Check(&context, Of(name), &response);
}

HealthCheckResponse::ServingStatus Check(HealthStub& stub, const std::string& name) {
  HealthCheckResponse response;
  const grpc::Status status = CheckStatus(stub, name, response);
  return status.ok()                              ? response.status()
         : status.error_code() == grpc::NOT_FOUND ? HealthCheckResponse::SERVICE_UNKNOWN
                                                  : HealthCheckResponse::UNKNOWN;
}

class OpenWatch {
 public:
  OpenWatch(HealthStub& stub, const std::string& name) : reader_(stub.Watch(&context_, Of(name))) {}
  ~OpenWatch() {
    context_.TryCancel();
    reader_.reset();
  }
  // The next answer; UNKNOWN: there is none any more.
  HealthCheckResponse::ServingStatus Next() {
    HealthCheckResponse response;
    return reader_->Read(&response) ? response.status() : HealthCheckResponse::UNKNOWN;
  }
  grpc::Status Finish() { return reader_->Finish(); }
  void Cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
};

TEST(EdgeHealthTest, NamesAndTheirStates) {
  EdgeServer server;
  const auto stub = NewHealthStub(server);
  EXPECT_EQ(Check(*stub, ""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Check(*stub, "fake"), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Check(*stub, "liveness"), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check(*stub, "nobody"), HealthCheckResponse::SERVICE_UNKNOWN);
  server.edge().SetServing("", true);
  server.edge().SetServing("fake", true);
  EXPECT_EQ(Check(*stub, ""), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check(*stub, "fake"), HealthCheckResponse::SERVING);
  server.edge().SetServing("", false);
  server.edge().RefuseNewCalls();
  EXPECT_EQ(Check(*stub, ""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Check(*stub, "liveness"), HealthCheckResponse::SERVING) << "draining kills nothing";
}

TEST(EdgeHealthTest, AWatchIsToldOfEachTurnAndOfNothingElse) {
  EdgeServer server;
  const auto stub = NewHealthStub(server);
  OpenWatch watch(*stub, "");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  for (int turn = 0; turn < 3; ++turn) {
    for (bool serving : {true, false}) {
      server.edge().SetServing("", serving);
      server.edge().SetServing("", serving);
      server.edge().SetServing("fake", serving);
      EXPECT_EQ(watch.Next(), serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
    }
  }
}

TEST(EdgeHealthTest, AWatchOfAnUnknownNameWaitsForIt) {
  EdgeServer server;
  const auto stub = NewHealthStub(server);
  OpenWatch watch(*stub, "later");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  server.edge().SetServing("later", false);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  server.edge().SetServing("later", true);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
}

TEST(EdgeHealthTest, ShutdownIsToldToWatchesAndNotHeldUpByThem) {
  EdgeServer server;
  const auto stub = NewHealthStub(server);
  server.edge().SetServing("", true);
  OpenWatch all(*stub, ""), process(*stub, "liveness");
  EXPECT_EQ(all.Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(process.Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(server.edge().calls_in_flight(), 0);
  server.edge().Shutdown(Now() + std::chrono::hours(1));
  EXPECT_EQ(all.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(all.Next(), HealthCheckResponse::UNKNOWN);
  EXPECT_EQ(all.Finish().error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(process.Next(), HealthCheckResponse::UNKNOWN);
  EXPECT_EQ(process.Finish().error_code(), grpc::UNAVAILABLE);
}

class NobodyIsLetIn final : public Authenticator {
 public:
  absl::StatusOr<PrincipalId> Authenticate(const Metadata&) override { return absl::UnauthenticatedError("no"); }
};

TEST(EdgeHealthTest, HealthNeedsNoCredentials) {
  EdgeServer server({.edge = {.authenticator = std::make_shared<NobodyIsLetIn>()}});
  const auto stub = NewHealthStub(server);
  EXPECT_EQ(Check(*stub, ""), HealthCheckResponse::NOT_SERVING);
  OpenWatch watch(*stub, "");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
}

// The slots and the bytes are all taken.
TEST(EdgeHealthTest, AFullGateIsNoneForHealth) {
  const size_t size = LogitsRequest({1}).ByteSizeLong();
  EdgeServer server({.edge = {.max_calls_in_flight = 1, .max_bytes_in_flight = size, .max_message_bytes = size}});
  server.Hold();
  const auto stub = server.NewStub();
  grpc::ClientContext held, refused;
  v1::ClassifyResponse response, none;
  std::thread caller([&] { EXPECT_TRUE(stub->Classify(&held, LogitsRequest({1}), &response).ok()); });
  server.AwaitBatches(1);
  EXPECT_EQ(stub->Classify(&refused, LogitsRequest({1}), &none).error_code(), grpc::RESOURCE_EXHAUSTED);
  const auto health = NewHealthStub(server);
  EXPECT_EQ(Check(*health, "liveness"), HealthCheckResponse::SERVING);
  OpenWatch watch(*health, "");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  server.Release();
  caller.join();
}

TEST(EdgeHealthTest, AConnectionHasABoundedNumberOfWatches) {
  EdgeServer server;
  const auto stub = NewHealthStub(server), another = NewHealthStub(server);
  std::deque<OpenWatch> watches;
  for (int i = 0; i < kMostWatches; ++i) {
    watches.emplace_back(*stub, "");
    ASSERT_EQ(watches.back().Next(), HealthCheckResponse::NOT_SERVING) << i;
  }
  OpenWatch one_more(*stub, "");
  EXPECT_EQ(one_more.Next(), HealthCheckResponse::UNKNOWN);
  const grpc::Status refused = one_more.Finish();
  EXPECT_EQ(refused.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Info(Details(refused)).reason(), "CONNECTION_CALLS");
  EXPECT_EQ(Info(Details(refused)).metadata().at("limit_calls"), std::to_string(kMostWatches));
  EXPECT_EQ(Check(*another, "liveness"), HealthCheckResponse::SERVING);
  EXPECT_THAT(server.metrics().Scrape(), HasSubstr("resnetd_rejections_total{reason=\"connection_calls\"} 1\n"));

  watches.pop_back();
  // The server hears of a cancelled watch some time later, and each failed check is a call to it.
  while (Check(*stub, "liveness") != HealthCheckResponse::SERVING) absl::SleepFor(absl::Milliseconds(1));
  server.edge().SetServing("", true);
  for (OpenWatch& watch : watches) EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
}

TEST(EdgeHealthTest, CallsAreCountedByTheirMethods) {
  EdgeServer server;
  const auto stub = NewHealthStub(server);
  Check(*stub, "");
  Check(*stub, "nobody");
  {
    OpenWatch watch(*stub, "");
    watch.Next();
  }
  const std::string cancelled = "resnetd_requests_total{code=\"CANCELLED\",method=\"Watch\"} 1\n";
  // The server hears of it some time later.
  while (server.metrics().Scrape().find(cancelled) == std::string::npos) absl::SleepFor(absl::Milliseconds(1));
  const std::string page = server.metrics().Scrape();
  EXPECT_THAT(page, HasSubstr("resnetd_requests_total{code=\"OK\",method=\"Check\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("resnetd_requests_total{code=\"NOT_FOUND\",method=\"Check\"} 1\n"));
}

TEST(EdgeHealthTest, WhatIsNoNameIsRefused) {
  EdgeServer server;
  const auto stub = NewHealthStub(server);
  HealthCheckResponse response;
  EXPECT_EQ(CheckStatus(*stub, std::string(200, 'x'), response).error_code(), grpc::NOT_FOUND);
  const grpc::Status long_name = CheckStatus(*stub, std::string(201, 'x'), response);
  EXPECT_EQ(long_name.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(long_name.error_message(), HasSubstr("service: expected a name of at most 200 bytes, got 201"));
  const grpc::Status long_message = CheckStatus(*stub, std::string(1 << 20, 'x'), response);
  EXPECT_EQ(long_message.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(long_message.error_message(), HasSubstr("request: expected a grpc.health.v1.HealthCheckRequest"));
  OpenWatch watch(*stub, std::string(201, 'x'));
  EXPECT_EQ(watch.Next(), HealthCheckResponse::UNKNOWN);
  EXPECT_EQ(watch.Finish().error_code(), grpc::INVALID_ARGUMENT);
}

TEST(EdgeHealthTest, ChangesFromSeveralThreadsEndInTheLastState) {
  EdgeServer server;
  const auto stub = NewHealthStub(server);
  std::deque<OpenWatch> watches;
  std::vector<HealthCheckResponse::ServingStatus> last;
  for (int i = 0; i < 8; ++i) {
    watches.emplace_back(*stub, i % 2 == 0 ? "" : "fake");
    last.push_back(watches.back().Next());  // the server has it: one that came after the end would be told nothing
  }
  std::vector<std::thread> setters;
  for (int t = 0; t < 3; ++t) {
    setters.emplace_back([&] {
      for (int i = 0; i < 300; ++i) server.edge().SetServing(i % 3 == 0 ? "" : "fake", i % 2 == 0);
    });
  }
  watches[0].Cancel();
  watches.pop_back();
  for (std::thread& setter : setters) setter.join();
  server.edge().SetServing("", false);
  server.edge().SetServing("fake", false);
  server.edge().SetServing("", true);
  server.edge().SetServing("fake", true);
  server.edge().Shutdown(Now());
  for (size_t i = 1; i < watches.size(); ++i) {
    for (auto next = last[i]; next != HealthCheckResponse::UNKNOWN; next = watches[i].Next()) last[i] = next;
    EXPECT_EQ(last[i], HealthCheckResponse::NOT_SERVING) << i;
  }
}

// A channel that checks health calls nobody until the server is ready.
TEST(EdgeHealthTest, GrpcsOwnClientUnderstandsIt) {
  EdgeServer server;
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(R"({"loadBalancingConfig": [{"round_robin": {}}],
                                     "healthCheckConfig": {"serviceName": "fake"}})");
  const auto channel = server.NewChannel(arguments);
  const auto stub = v1::InferenceService::NewStub(channel);
  const auto list = [&](bool wait) {
    grpc::ClientContext context;
    context.set_wait_for_ready(wait);
    v1::ListModelsResponse response;
    return stub->ListModels(&context, {}, &response).error_code();
  };
  EXPECT_EQ(list(false), grpc::UNAVAILABLE);
  server.edge().SetServing("fake", true);
  EXPECT_EQ(list(true), grpc::OK);
  server.edge().SetServing("fake", false);
  // The client hears of the end some time later.
  while (list(false) != grpc::UNAVAILABLE) absl::SleepFor(absl::Milliseconds(1));
}

}  // namespace
}  // namespace resnetd::server
