// Tests what lies below the messages: raw bytes, compression, unknown methods, reflection, ports.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>

#include "server/edge/error.h"
#include "server/edge/native/codec.h"
#include "tests/support/edge_server.h"

namespace resnetd::server {
namespace {

using testing::HasSubstr;

struct RawReply {
  grpc::Status status;
  std::string bytes;
};

// A call of any method with these messages as they are; the last answer.
RawReply CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                 const std::vector<std::string>& messages) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto stream = stub.PrepareCall(&context, method, &queue);
  const auto next = [&] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  stream->StartCall(nullptr);
  next();
  for (const std::string& message : messages) {
    const grpc::Slice slice(message);
    stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    next();
  }
  stream->WritesDone(nullptr);
  next();
  RawReply reply;
  for (;;) {
    grpc::ByteBuffer buffer;
    stream->Read(&buffer, nullptr);
    if (!next()) break;
    grpc::Slice slice;
    if (buffer.DumpToSingleSlice(&slice).ok()) reply.bytes.assign(slice.begin(), slice.end());
  }
  stream->Finish(&reply.status, nullptr);
  next();
  return reply;
}

TEST(EdgeProtocolTest, MalformedMessagesSayWhatWasExpected) {
  EdgeServer server;
  const auto channel = server.NewChannel();
  std::string too_many;
  for (int i = 0; i < 100'000; ++i) too_many += std::string("\x1a\x00", 2);
  const std::string malformed[] = {"\xff\xff\xff\xff", std::string("\x1a\x7f", 2), "not a protobuf at all",
                                   std::string("\x0a\x02\xc3\x28", 4) /* a model's name that is no UTF-8 */, too_many};
  for (const auto& [method, expects] :
       std::vector<std::pair<std::string, std::string>>{{"Classify", "resnetd.v1.ClassifyRequest"},
                                                        {"Embed", "resnetd.v1.EmbedRequest"},
                                                        {"Predict", "resnetd.v1.PredictRequest"},
                                                        {"GetModel", "resnetd.v1.GetModelRequest"}}) {
    for (const std::string& bytes : malformed) {
      SCOPED_TRACE(testing::Message() << method << " " << bytes.substr(0, 30));
      const RawReply reply = CallRaw(channel, "/resnetd.v1.InferenceService/" + method, {bytes});
      EXPECT_EQ(reply.status.error_code(), grpc::INVALID_ARGUMENT);
      EXPECT_THAT(reply.status.error_message(), HasSubstr("request: expected a " + expects));
      EXPECT_THAT(reply.status.error_message(), HasSubstr(std::to_string(bytes.size()) + " bytes"));
      EXPECT_EQ(Field(Details(reply.status)), "request");
      EXPECT_EQ(Info(Details(reply.status)).reason(), "MALFORMED_MESSAGE");
    }
  }
  EXPECT_TRUE(CallRaw(channel, "/resnetd.v1.InferenceService/ListModels", {""}).status.ok());
}

TEST(EdgeProtocolTest, InAStreamAMalformedMessageIsAnErrorInItsPlace) {
  EdgeServer server;
  const RawReply reply = CallRaw(server.NewChannel(), "/resnetd.v1.InferenceService/ClassifyStream",
                                 {LogitsRequest({1}).SerializeAsString(), "not a protobuf at all"});
  EXPECT_TRUE(reply.status.ok()) << reply.status.error_message();
  v1::ClassifyStreamResponse last;
  ASSERT_TRUE(last.ParseFromString(reply.bytes));
  EXPECT_EQ(last.error().code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(Field(last.error()), "request");
  EXPECT_EQ(server.images_computed(), 1);
}

TEST(EdgeProtocolTest, AnEmptyMessageIsARequestWithoutImages) {
  EdgeServer server;
  const RawReply reply = CallRaw(server.NewChannel(), "/resnetd.v1.InferenceService/Classify", {""});
  EXPECT_EQ(reply.status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(Field(Details(reply.status)), "images");
}

TEST(EdgeProtocolTest, UnaryCallWithoutItsMessage) {
  EdgeServer server;
  const RawReply reply = CallRaw(server.NewChannel(), "/resnetd.v1.InferenceService/Classify", {});
  EXPECT_EQ(reply.status.error_code(), grpc::INVALID_ARGUMENT) << reply.status.error_message();
  EXPECT_THAT(reply.status.error_message(), HasSubstr("expected one message, got none"));
  EXPECT_EQ(Field(Details(reply.status)), "request");
}

TEST(EdgeProtocolTest, StreamWithoutMessagesIsEmpty) {
  EdgeServer server;
  const RawReply reply = CallRaw(server.NewChannel(), "/resnetd.v1.InferenceService/ClassifyStream", {});
  EXPECT_TRUE(reply.status.ok()) << reply.status.error_message();
  EXPECT_TRUE(reply.bytes.empty());
}

TEST(EdgeProtocolTest, UnknownMethods) {
  EdgeServer server;
  for (const char* method : {"/resnetd.v1.InferenceService/Classified", "/somebody.else/Classify", "/x"}) {
    const RawReply reply = CallRaw(server.NewChannel(), method, {"bytes"});
    EXPECT_EQ(reply.status.error_code(), grpc::UNIMPLEMENTED) << method;
    EXPECT_THAT(reply.status.error_message(), HasSubstr("no such method")) << method;
  }
}

TEST(EdgeProtocolTest, CompressedRequestsAreRefusedPlainly) {
  EdgeServer server;
  const auto stub = server.NewStub();
  for (auto algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    grpc::ClientContext context;
    context.set_compression_algorithm(algorithm);
    v1::ClassifyRequest request = LogitsRequest({1});
    request.mutable_images(0)->mutable_tensor()->set_data(std::string(784, 'x'));  // worth compressing
    v1::ClassifyResponse response;
    const grpc::Status status = stub->Classify(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::UNIMPLEMENTED) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr("disabled"));
  }
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  EXPECT_TRUE(stub->Classify(&context, LogitsRequest({1}), &response).ok());
}

TEST(EdgeProtocolTest, TheNativeProtocolHasTheMethodsOfItsProto) {
  const ModelRepository models;
  const Protocol protocol = NativeProtocol(models, EdgeOptions());
  const google::protobuf::ServiceDescriptor* service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(protocol.service);
  ASSERT_NE(service, nullptr);
  ASSERT_EQ(static_cast<int>(protocol.methods.size()), service->method_count());
  for (const Method& method : protocol.methods) {
    const google::protobuf::MethodDescriptor* declared = service->FindMethodByName(method.name);
    ASSERT_NE(declared, nullptr) << method.name;
    EXPECT_EQ(method.streaming, declared->client_streaming()) << method.name;
    EXPECT_EQ(method.streaming, declared->server_streaming()) << method.name;
  }
}

// Answers "ok" with what it got, and everything else with NOT_FOUND.
class EchoCodec final : public Codec {
 public:
  absl::StatusOr<Decoded> Decode(RequestBytes& bytes) const override {
    if (bytes.size() == 2) return std::string("ok");
    return Error(absl::StatusCode::kNotFound, "NOBODY", "not here");
  }
  std::string Encode(const ImageRequest&, absl::Span<const ImageAnswer>) const override { return {}; }
  std::string FieldOf(SourceKind, size_t) const override { return {}; }
  std::string EncodeError(const absl::Status& error) const override { return std::string(error.message()); }
};

TEST(EdgeProtocolTest, AnotherProtocolBringsItsMethodsAndItsCodes) {
  const ModelRepository models;
  Metrics metrics;
  scheduling::Scheduler scheduler(
      {}, [](int, const scheduling::Dispatch&, std::vector<std::unique_ptr<scheduling::Job>>) {});
  const EdgeOptions options{.port = 0};
  Protocol echo{.service = "test.Echo", .methods = {}};
  echo.methods.push_back({"Say", false, std::make_unique<EchoCodec>()});
  echo.methods.push_back({"SayAll", true, std::make_unique<EchoCodec>()});
  echo.codes[static_cast<size_t>(absl::StatusCode::kNotFound)] = grpc::INVALID_ARGUMENT;
  std::vector<Protocol> protocols;
  protocols.push_back(NativeProtocol(models, options));
  protocols.push_back(std::move(echo));
  const auto edge = Edge::Start(options, std::move(protocols), models, scheduler, metrics);
  ASSERT_TRUE(edge.ok()) << edge.status();
  const auto channel =
      grpc::CreateChannel("127.0.0.1:" + std::to_string((*edge)->port()), grpc::InsecureChannelCredentials());

  const RawReply said = CallRaw(channel, "/test.Echo/Say", {"hi"});
  EXPECT_TRUE(said.status.ok()) << said.status.error_message();
  EXPECT_EQ(said.bytes, "ok");
  const RawReply missed = CallRaw(channel, "/test.Echo/Say", {"hello"});
  EXPECT_EQ(missed.status.error_code(), grpc::INVALID_ARGUMENT) << "by the protocol's own table";
  EXPECT_EQ(Details(missed.status).code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(Info(Details(missed.status)).reason(), "NOBODY");
  EXPECT_EQ(CallRaw(channel, "/test.Echo/SayAll", {"hi", "hello"}).bytes, "not here");
  EXPECT_TRUE(CallRaw(channel, "/resnetd.v1.InferenceService/ListModels", {""}).status.ok());
  const RawReply model = CallRaw(channel, "/resnetd.v1.InferenceService/GetModel", {"\x0a\x01x"});
  EXPECT_EQ(model.status.error_code(), grpc::NOT_FOUND) << "the other protocol's table is its own";
  EXPECT_THAT(CallRaw(channel, "/test.Echo/Shout", {"hi"}).status.error_message(),
              HasSubstr("resnetd.v1.InferenceService, test.Echo"));

  // A call is counted when gRPC is done with it, which may be after its client: after this it is.
  (*edge)->Shutdown(Now() + std::chrono::seconds(10));
  const std::string page = metrics.Scrape();
  EXPECT_THAT(page, HasSubstr("resnetd_requests_total{code=\"INVALID_ARGUMENT\",method=\"Say\"} 1"));
  EXPECT_THAT(page, HasSubstr("resnetd_requests_total{code=\"OK\",method=\"SayAll\"} 1"));
}

TEST(EdgeProtocolTest, ReflectionListsTheService) {
  EdgeServer server;
  const char* method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  // ServerReflectionRequest{list_services: "*"}
  const RawReply list = CallRaw(server.NewChannel(), method, {std::string("\x3a\x01*", 3)});
  ASSERT_TRUE(list.status.ok()) << list.status.error_message();
  EXPECT_THAT(list.bytes, HasSubstr("resnetd.v1.InferenceService"));
  EXPECT_THAT(list.bytes, HasSubstr("grpc.health.v1.Health"));
  // ServerReflectionRequest{file_containing_symbol: ...}
  const std::string symbol = "resnetd.v1.InferenceService";
  const RawReply file =
      CallRaw(server.NewChannel(), method, {"\x22" + std::string(1, static_cast<char>(symbol.size())) + symbol});
  ASSERT_TRUE(file.status.ok()) << file.status.error_message();
  for (const char* name : {"Classify", "EmbedStream", "GetModel", "ClassifyRequest"}) {
    EXPECT_THAT(file.bytes, HasSubstr(name));
  }
}

TEST(EdgeStartTest, PortInUseIsSaidPlainly) {
  EdgeServer first;
  ModelRepository models;
  Metrics metrics;
  EdgeOptions options;
  options.port = first.edge().port();
  const auto second = StartEdge(options, models, first.scheduler(), metrics);
  ASSERT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("the port is in use"));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(first.address()));
}

TEST(EdgeStartTest, AddressThatIsNotOurs) {
  EdgeServer first;
  ModelRepository models;
  Metrics metrics;
  EdgeOptions options;
  options.port = 0;
  for (const char* address : {"192.0.2.1", "not an address"}) {
    options.address = address;
    const auto edge = StartEdge(options, models, first.scheduler(), metrics);
    ASSERT_EQ(edge.status().code(), absl::StatusCode::kUnavailable) << address;
    EXPECT_THAT(std::string(edge.status().message()), HasSubstr("cannot listen on"));
    EXPECT_THAT(std::string(edge.status().message()), testing::Not(HasSubstr("in use")));
  }
}

TEST(EdgeStartTest, OptionsOutOfRangeAreNamed) {
  EdgeServer first;
  ModelRepository models;
  Metrics metrics;
  struct Case {
    const char* option;
    void (*spoil)(EdgeOptions&);
  };
  for (const Case& c : {
           Case{"--port", [](EdgeOptions& o) { o.port = 65536; }},
           Case{"--port", [](EdgeOptions& o) { o.port = -1; }},
           Case{"--max-calls-in-flight", [](EdgeOptions& o) { o.max_calls_in_flight = 0; }},
           Case{"--max-calls-per-connection", [](EdgeOptions& o) { o.max_calls_per_connection = -1; }},
           Case{"--max-bytes-in-flight", [](EdgeOptions& o) { o.max_bytes_in_flight = 0; }},
           Case{"--max-message-bytes", [](EdgeOptions& o) { o.max_message_bytes = 0; }},
           Case{"--max-message-bytes", [](EdgeOptions& o) { o.max_bytes_in_flight = o.max_message_bytes - 1; }},
           Case{"--max-images-per-request", [](EdgeOptions& o) { o.max_images_per_request = 0; }},
           Case{"--max-image-pixels", [](EdgeOptions& o) { o.image_limits.max_pixels = 0; }},
           Case{"--stream-window", [](EdgeOptions& o) { o.stream_window = 0; }},
           Case{"--max-streams-per-connection", [](EdgeOptions& o) { o.max_streams_per_connection = 0; }},
           Case{"--trusted-proxies",
                [](EdgeOptions& o) {
                  o.trusted_proxies = {"10.0.0.0/8", "10.0.0.1/8"};
                }},
           Case{"--message-timeout-ms", [](EdgeOptions& o) { o.message_timeout = std::chrono::milliseconds(-1); }},
           Case{"--answer-timeout-ms", [](EdgeOptions& o) { o.answer_timeout = std::chrono::hours(25); }},
       }) {
    EdgeOptions options;
    options.port = 0;
    c.spoil(options);
    const auto edge = StartEdge(options, models, first.scheduler(), metrics);
    ASSERT_EQ(edge.status().code(), absl::StatusCode::kInvalidArgument) << c.option;
    EXPECT_THAT(std::string(edge.status().message()), HasSubstr(c.option));
  }
}

}  // namespace
}  // namespace resnetd::server
