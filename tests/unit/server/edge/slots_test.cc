// Clients that send nothing, take nothing or take everything, and polite ones beside them. Times are short, and no test
// depends on how short: it waits for what must come, and looks at what must not have happened by then.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/edge_server.h"
#include "tests/support/http2_client.h"

namespace resnetd::server {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

// Asks once a millisecond, so that the server has the processor in between.
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
  EdgeServer server(
      {.edge = {
           .max_calls_in_flight = kSlots, .trusted_proxies = {"127.0.0.1"}, .message_timeout = milliseconds(300)}});
  const auto polite = server.NewStub();
  Http2Client hostile(server.edge().port());
  for (int i = 0; i < kSlots; ++i) hostile.Call("Classify");
  Await([&] { return Rejections(server, "message_time") == kSlots; });
  Await([&] { return server.edge().calls_in_flight() == 0; });
  EXPECT_EQ(Figure(server, "resnetd_requests_total{code=\"DEADLINE_EXCEEDED\",method=\"Classify\"}"), kSlots);
  EXPECT_TRUE(List(*polite).ok());
}

// The share holds however long the time is, and however many calls there are.
TEST(EdgeSlotsTest, HeadersOnOneConnectionLeaveSlotsForOthers) {
  constexpr int kSlots = 1024;
  EdgeServer server({.edge = {.max_calls_in_flight = kSlots, .message_timeout = std::chrono::hours(1)}});
  const auto polite = server.NewStub();
  Http2Client hostile(server.edge().port());
  for (int i = 0; i < kSlots; ++i) hostile.Call("Classify");
  Await([&] { return Rejections(server, "connection_share") == kSlots / 2; });
  EXPECT_EQ(server.edge().calls_in_flight(), kSlots / 2);
  v1::ClassifyResponse response;
  for (int i = 0; i < 10; ++i) {
    grpc::ClientContext context;
    EXPECT_TRUE(polite->Classify(&context, LogitsRequest({1}), &response).ok());
  }
  hostile.Close();
  Await([&] { return server.edge().calls_in_flight() == 0; });
}

TEST(EdgeSlotsTest, AConnectionHasItsShareOnBothSides) {
  EdgeServer server({.edge = {.max_calls_in_flight = 16, .message_timeout = milliseconds(0)}});
  Http2Client first(server.edge().port()), second(server.edge().port());
  const auto others = server.NewStub();
  for (int i = 0; i < 8; ++i) first.Call("Classify");
  Await([&] { return server.edge().calls_in_flight() == 8; });
  EXPECT_EQ(Rejections(server, "connection_share"), 0) << "half of the slots are there for anybody";
  for (int i = 0; i < 4; ++i) second.Call("Classify");
  Await([&] { return server.edge().calls_in_flight() == 12; });
  EXPECT_EQ(Rejections(server, "connection_share"), 0) << "a quarter is a connection's own";
  first.Call("Classify");
  second.Call("Classify");
  Await([&] { return Rejections(server, "connection_share") == 2; });
  EXPECT_EQ(server.edge().calls_in_flight(), 12);
  EXPECT_TRUE(List(*others).ok());
  EXPECT_EQ(Rejections(server, "calls_in_flight"), 0);
}

TEST(EdgeSlotsTest, ARefusalNamesTheShare) {
  EdgeServer server({.edge = {.max_calls_in_flight = 4, .message_timeout = milliseconds(0)}});
  server.Hold();
  Http2Client other(server.edge().port());
  for (int i = 0; i < 2; ++i) other.Call("Classify");
  Await([&] { return server.edge().calls_in_flight() == 2; });
  const auto stub = server.NewStub();
  grpc::ClientContext first, second;
  v1::ClassifyResponse response;
  std::thread caller([&] { EXPECT_TRUE(stub->Classify(&first, LogitsRequest({1}), &response).ok()); });
  server.AwaitBatches(1);
  v1::ListModelsResponse none;
  const grpc::Status refused = stub->ListModels(&second, {}, &none);
  EXPECT_EQ(refused.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Info(Details(refused)).reason(), "CONNECTION_SHARE");
  EXPECT_EQ(Info(Details(refused)).metadata().at("limit_calls"), "1");
  EXPECT_THAT(refused.error_message(), HasSubstr("--trusted-proxies"));
  EXPECT_EQ(second.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1u);
  server.Release();
  caller.join();
}

TEST(EdgeSlotsTest, AProxysConnectionHasNoShare) {
  for (const auto& [proxies, let_in] : std::vector<std::pair<std::vector<std::string>, int>>{
           {{"127.0.0.0/8"}, 16}, {{"10.0.0.0/8", "127.0.0.1"}, 16}, {{"10.0.0.0/8", "128.0.0.0/8"}, 8}, {{}, 8}}) {
    EdgeOptions options;
    options.max_calls_in_flight = 16;
    options.message_timeout = milliseconds(0);
    options.trusted_proxies = proxies;
    EdgeServer server({.edge = options});
    Http2Client connection(server.edge().port());
    for (int i = 0; i < 17; ++i) connection.Call("Classify");
    Await(
        [&] { return Rejections(server, "connection_share") + Rejections(server, "calls_in_flight") == 17 - let_in; });
    EXPECT_EQ(server.edge().calls_in_flight(), let_in);
    EXPECT_EQ(Rejections(server, "calls_in_flight"), let_in == 16 ? 1 : 0);
  }
}

// A stream that one request has been answered on.
class OpenStream {
 public:
  explicit OpenStream(v1::InferenceService::Stub& stub) : stream_(stub.ClassifyStream(&context_)) {}
  ~OpenStream() { context_.TryCancel(); }
  bool Write(unsigned seed) { return stream_->Write(LogitsRequest({seed})); }
  v1::ClassifyStreamResponse Read() {
    v1::ClassifyStreamResponse response;
    stream_->Read(&response);  // else nothing is set
    return response;
  }
  bool Answers(unsigned seed) {
    if (!Write(seed)) return false;
    const v1::ClassifyStreamResponse response = Read();
    return response.response().results_size() == 1 && IsAnswerOf(response.response().results(0), seed);
  }
  grpc::Status End() {
    stream_->WritesDone();
    return stream_->Finish();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ClassifyRequest, v1::ClassifyStreamResponse>> stream_;
};

TEST(EdgeSlotsTest, StreamsBetweenTheirRequestsHoldNoSlot) {
  EdgeServer server({.edge = {.max_calls_in_flight = 1}});
  const auto stub = server.NewStub();
  std::deque<OpenStream> streams;
  for (unsigned i = 0; i < 20; ++i) EXPECT_TRUE(streams.emplace_back(*stub).Answers(i)) << i;
  EXPECT_EQ(server.edge().calls_in_flight(), 20);
  EXPECT_TRUE(List(*stub).ok());
  for (int round = 0; round < 5; ++round) {
    for (unsigned i = 0; i < 20; ++i) EXPECT_TRUE(streams[i].Answers(i)) << i;
  }
  for (OpenStream& stream : streams) EXPECT_TRUE(stream.End().ok());
  Await([&] { return server.edge().calls_in_flight() == 0; });
  EXPECT_TRUE(List(*stub).ok());
}

TEST(EdgeSlotsTest, AStreamMayWaitWithItsFirstRequest) {
  EdgeServer server({.edge = {.max_calls_in_flight = 1, .message_timeout = milliseconds(50)}});
  const auto stub = server.NewStub();
  OpenStream patient(*stub);
  Await([&] { return server.edge().calls_in_flight() == 1; });
  Http2Client hostile(server.edge().port());
  hostile.Call("Classify");
  Await([&] { return Rejections(server, "message_time") == 1; });
  Await([&] { return server.edge().calls_in_flight() == 1; });
  EXPECT_TRUE(patient.Answers(1));
}

TEST(EdgeSlotsTest, WithoutASlotAStreamsRequestIsRefusedInItsPlace) {
  EdgeServer server({.edge = {.max_calls_in_flight = 1}});
  const auto stub = server.NewStub(), another = server.NewStub();
  OpenStream holder(*stub), waits(*another);
  EXPECT_TRUE(holder.Answers(1));
  EXPECT_TRUE(waits.Answers(2));
  server.Hold();
  ASSERT_TRUE(holder.Write(3));
  server.AwaitBatches(3);
  ASSERT_TRUE(waits.Write(4));
  const v1::ClassifyStreamResponse refused = waits.Read();
  EXPECT_EQ(refused.error().code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Info(refused.error()).reason(), "CALLS_IN_FLIGHT");
  EXPECT_EQ(List(*another).error_code(), grpc::RESOURCE_EXHAUSTED) << "the stream's request holds the slot";
  server.Release();
  EXPECT_TRUE(holder.Read().has_response());
  EXPECT_TRUE(waits.Answers(5)) << "whoever has the last answer finds the slot free";
  EXPECT_TRUE(waits.End().ok());
  EXPECT_EQ(Rejections(server, "calls_in_flight"), 2);
  EXPECT_EQ(server.images_computed(), 4);
}

TEST(EdgeSlotsTest, AConnectionHasABoundedNumberOfStreams) {
  EdgeServer server({.edge = {.max_streams_per_connection = 3}});
  const auto stub = server.NewStub(), another = server.NewStub();
  std::deque<OpenStream> streams;
  for (unsigned i = 0; i < 3; ++i) EXPECT_TRUE(streams.emplace_back(*stub).Answers(i));
  OpenStream one_more(*stub);
  const grpc::Status refused = one_more.End();
  EXPECT_EQ(refused.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Info(Details(refused)).reason(), "CONNECTION_CALLS");
  EXPECT_EQ(Info(Details(refused)).metadata().at("limit_calls"), "3");
  EXPECT_THAT(refused.error_message(), HasSubstr("--max-streams-per-connection"));
  EXPECT_TRUE(List(*stub).ok());
  EXPECT_TRUE(OpenStream(*another).Answers(1));
  EXPECT_TRUE(streams.back().End().ok());
  streams.pop_back();
  Await([&] { return OpenStream(*stub).Answers(1); });
}

// Whatever streams and calls do to each other, in the end all slots are there.
TEST(EdgeSlotsTest, AfterAStormAllSlotsAreFree) {
  constexpr int kSlots = 4;
  EdgeServer server({.edge = {.max_calls_in_flight = kSlots, .stream_window = 3},
                     .scheduling = {.max_queue_bytes = 6 * 784, .workers = 2}});
  std::vector<std::thread> clients;
  for (unsigned c = 0; c < 6; ++c) {
    clients.emplace_back([&, c] {
      std::mt19937 random(c);
      const auto stub = server.NewStub();
      for (int i = 0; i < 60; ++i) {
        grpc::ClientContext context;
        const auto stream = stub->ClassifyStream(&context);
        for (unsigned n = random() % 8; n > 0 && stream->Write(LogitsRequest({n})); --n) {
          v1::ClassifyStreamResponse response;
          if (random() % 2 == 0 && !stream->Read(&response)) break;
        }
        if (random() % 2 == 0) context.TryCancel();
        stream->WritesDone();
        v1::ClassifyStreamResponse response;
        while (stream->Read(&response)) {
        }
        stream->Finish();
        List(*stub);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  Await([&] { return server.edge().calls_in_flight() == 0; });
  std::deque<Http2Client> connections;
  for (int i = 1; i <= kSlots; ++i) {
    connections.emplace_back(server.edge().port()).Call("Classify");
    Await([&] { return server.edge().calls_in_flight() == i; });
  }
  const auto stub = server.NewStub();
  EXPECT_EQ(List(*stub).error_code(), grpc::RESOURCE_EXHAUSTED);
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

// A time that a client which keeps calling does not stand still for half of, however busy the machine is.
constexpr milliseconds kLongTimeout(1000);

// Moves a connection each way, by a call that is answered: 12 kB of a request, and 2 kB of an answer that is taken.
// `others`: calls that are in flight beside it.
void Move(Http2Client& client, EdgeServer& server, int others) {
  const uint32_t call = client.Call("Classify");
  client.Send(call, Framed(LogitsRequest(std::vector<unsigned>(16, 1)).SerializeAsString()), true);
  client.Grant(call, 65535);
  client.Grant(0, 65535);
  client.ReceiveSome();
  Await([&] { return server.edge().calls_in_flight() <= others; });
}

// The call that stands still is begun after the one that moves, so that both have had their time when it is cut.
TEST(EdgeSlotsTest, AMessageThatMovesIsNotCut) {
  EdgeServer server({.edge = {.message_timeout = kLongTimeout}});
  Http2Client moving(server.edge().port()), still(server.edge().port());
  const std::string message = Framed(LogitsRequest({1}).SerializeAsString());
  const uint32_t call = moving.Call("Classify");
  moving.Send(call, message.substr(0, 10));
  Await([&] { return server.edge().calls_in_flight() == 1; });
  still.Call("Classify");
  while (Rejections(server, "message_time") == 0) Move(moving, server, 2);
  Await([&] { return server.edge().calls_in_flight() <= 1; });
  const int before = server.images_computed();
  moving.Send(call, message.substr(10), true);
  Await([&] { return server.edge().calls_in_flight() == 0; });
  EXPECT_EQ(server.images_computed(), before + 1);
  EXPECT_EQ(Rejections(server, "message_time"), 1) << "the one that stood still";

  moving.Send(moving.Call("Classify"), message.substr(0, 10));
  Await([&] { return Rejections(server, "message_time") == 2; });
  Await([&] { return server.edge().calls_in_flight() == 0; });
}

TEST(EdgeSlotsTest, AnswersThatNobodyTakesAreCut) {
  constexpr int kCalls = 1000;
  EdgeServer server({.edge = {.trusted_proxies = {"127.0.0.1"}, .answer_timeout = milliseconds(300)}});
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
  EdgeServer server({.edge = {.answer_timeout = kLongTimeout}});
  const auto not_taken = [&] { return Figure(server, "resnetd_answers_not_taken_total"); };
  Http2Client moving(server.edge().port(), 0), still(server.edge().port(), 0);
  const uint32_t call = moving.Call("ListModels");
  moving.Send(call, Framed(""), true);
  Move(moving, server, 1);
  still.Send(still.Call("ListModels"), Framed(""), true);
  while (not_taken() == 0) Move(moving, server, 2);
  moving.Grant(call, 65535);
  Await([&] { return server.edge().calls_in_flight() == 0; });
  EXPECT_EQ(not_taken(), 1) << "the one that stood still";

  moving.Send(moving.Call("ListModels"), Framed(""), true);
  Await([&] { return not_taken() == 2; });
  Await([&] { return server.edge().calls_in_flight() == 0; });
}

}  // namespace
}  // namespace resnetd::server
