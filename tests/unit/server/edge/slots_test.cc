// Clients that send nothing, take nothing or take everything, and polite ones beside them. Times are short, and no test
// depends on how short: it waits for what must come, and looks at what must not have happened by then.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/edge/patience.h"
#include "tests/support/edge_server.h"
#include "tests/support/http2_client.h"

namespace resnetd::server {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

void Await(const std::function<bool()>& condition) {
  while (!condition()) absl::SleepFor(absl::Milliseconds(1));
}

// The value of a series, as it stands on the page: `resnetd_x{a="b"}`.
double Figure(EdgeServer& server, const std::string& series) {
  const std::string page = server.metrics().Scrape();
  const size_t at = page.find("\n" + series + " ");
  double value = -1;
  if (at == std::string::npos) return value;
  const size_t from = at + series.size() + 2;
  EXPECT_TRUE(absl::SimpleAtod(page.substr(from, page.find('\n', from) - from), &value));
  return value;
}

double Rejections(EdgeServer& server, const std::string& reason) {
  return Figure(server, absl::StrCat("resnetd_rejections_total{reason=\"", reason, "\"}"));
}

grpc::Status List(v1::InferenceService::Stub& stub) {
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  return stub.ListModels(&context, {}, &response);
}

TEST(EdgeSlotsTest, HeadersWithoutAMessageGiveTheirSlotsBack) {
  constexpr int kSlots = 1024;
  EdgeServer server({.edge = {.max_calls_in_flight = kSlots, .message_timeout = milliseconds(300)}});
  const auto polite = server.NewStub();
  Http2Client hostile(server.edge().port());
  for (int i = 0; i < kSlots; ++i) hostile.Call("Classify");
  Await([&] { return server.edge().calls_in_flight() == kSlots || Rejections(server, "message_time") > 0; });
  Await([&] { return server.edge().calls_in_flight() == 0; });
  EXPECT_EQ(Rejections(server, "message_time"), kSlots);
  EXPECT_EQ(Figure(server, "resnetd_requests_total{code=\"DEADLINE_EXCEEDED\",method=\"Classify\"}"), kSlots);
  EXPECT_TRUE(List(*polite).ok());
}

// A call of any method that sends nothing, by gRPC's own client.
TEST(EdgeSlotsTest, AClientIsToldThatItSentTooLate) {
  EdgeServer server({.edge = {.message_timeout = milliseconds(50)}});
  grpc::GenericStub stub(server.NewChannel());
  for (const char* method :
       {"/resnetd.v1.InferenceService/Classify", "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"}) {
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(&context, method, &queue);
    void* tag = nullptr;
    bool ok = false;
    call->StartCall(nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
    grpc::Status status;
    call->Finish(&status, nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(status.error_code(), grpc::DEADLINE_EXCEEDED) << method;
    EXPECT_THAT(status.error_message(), HasSubstr("within 50 ms of its headers")) << method;
    EXPECT_THAT(status.error_message(), HasSubstr("--message-timeout-ms"));
    EXPECT_EQ(Info(Details(status)).reason(), "MESSAGE_TIME");
    EXPECT_EQ(Info(Details(status)).metadata().at("limit_ms"), "50");
  }
  EXPECT_EQ(Rejections(server, "message_time"), 3);
}

TEST(EdgeSlotsTest, APartOfAMessageIsNoMessage) {
  EdgeServer server({.edge = {.message_timeout = milliseconds(50)}});
  Http2Client hostile(server.edge().port());
  const std::string message = Framed(LogitsRequest({1}).SerializeAsString());
  hostile.Send(hostile.Call("Classify"), message.substr(0, message.size() - 1));
  Await([&] { return Rejections(server, "message_time") == 1; });
  Await([&] { return server.edge().calls_in_flight() == 0; });
  EXPECT_EQ(server.images_computed(), 0);
}

// Its line is as slow as can be: it moves, for far longer than the time.
TEST(EdgeSlotsTest, AMessageThatMovesIsNotCut) {
  std::atomic<int> asked{0};
  std::atomic<bool> moving{true};
  std::atomic<uint64_t> received{0};
  EdgeServer server({.edge = {.message_timeout = milliseconds(50), .traffic = [&](const std::string&) {
                                ++asked;
                                if (moving) received += Patience::kLeastBytes;
                                return std::optional(Traffic{.received = received, .acknowledged = 0});
                              }}});
  Http2Client slow(server.edge().port());
  const std::string message = Framed(LogitsRequest({1}).SerializeAsString());
  const uint32_t call = slow.Call("Classify");
  slow.Send(call, message.substr(0, 10));
  Await([&] { return asked >= 10; });  // in 250 ms, if there is no other load
  slow.Send(call, message.substr(10), true);
  Await([&] { return server.edge().calls_in_flight() == 0; });
  EXPECT_EQ(server.images_computed(), 1);
  EXPECT_EQ(Rejections(server, "message_time"), 0);

  slow.Send(slow.Call("Classify"), message.substr(0, 10));
  Await([&, before = asked.load()] { return asked >= before + 5; });
  EXPECT_EQ(Rejections(server, "message_time"), 0);
  moving = false;
  Await([&] { return Rejections(server, "message_time") == 1; });
  Await([&] { return server.edge().calls_in_flight() == 0; });
}

TEST(EdgeSlotsTest, AnswersThatNobodyTakesAreCut) {
  constexpr int kCalls = 1000;
  EdgeServer server({.edge = {.answer_timeout = milliseconds(300)}});
  const auto polite = server.NewStub();
  Http2Client hostile(server.edge().port(), 0);
  for (int i = 0; i < kCalls; ++i) hostile.Send(hostile.Call("ListModels"), Framed(""), true);
  EXPECT_TRUE(List(*polite).ok()) << "unread answers hold no slots";
  Await([&] { return Figure(server, "resnetd_answers_not_taken_total") == kCalls; });
  Await([&] { return server.edge().calls_in_flight() == 0; });
}

TEST(EdgeSlotsTest, AStreamWhoseAnswersNobodyTakesIsCut) {
  EdgeServer server({.edge = {.answer_timeout = milliseconds(50)}});
  Http2Client hostile(server.edge().port(), 0);
  const uint32_t stream = hostile.Call("ClassifyStream");
  for (unsigned i = 0; i < 3; ++i) hostile.Send(stream, Framed(LogitsRequest({i}).SerializeAsString()));
  Await([&] { return Figure(server, "resnetd_answers_not_taken_total") == 1; });
  Await([&] { return server.edge().calls_in_flight() == 0; });
  Await([&] { return Figure(server, "resnetd_requests_total{code=\"CANCELLED\",method=\"ClassifyStream\"}") == 1; });
}

TEST(EdgeSlotsTest, AnAnswerThatMovesIsNotCut) {
  std::atomic<int> asked{0};
  std::atomic<bool> moving{true};
  std::atomic<uint64_t> acknowledged{0};
  EdgeServer server({.edge = {.answer_timeout = milliseconds(50), .traffic = [&](const std::string&) {
                                ++asked;
                                if (moving) acknowledged += Patience::kLeastBytes;
                                return std::optional(Traffic{.received = 0, .acknowledged = acknowledged});
                              }}});
  Http2Client slow(server.edge().port(), 0);
  slow.Send(slow.Call("ListModels"), Framed(""), true);
  Await([&] { return asked >= 10; });
  EXPECT_EQ(server.edge().calls_in_flight(), 1);
  EXPECT_EQ(Figure(server, "resnetd_answers_not_taken_total"), 0);
  moving = false;
  Await([&] { return Figure(server, "resnetd_answers_not_taken_total") == 1; });
  Await([&] { return server.edge().calls_in_flight() == 0; });
}

}  // namespace
}  // namespace resnetd::server
