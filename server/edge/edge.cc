// The server and its settings. gRPC's own threads serve everything; none is ours.
#include "server/edge/edge.h"

#include <google/protobuf/message.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/address.h"
#include "base/descriptor.h"
#include "base/echo.h"
#include "base/enum_table.h"
#include "base/status_macros.h"
#include "base/time.h"
#include "grpc/health/v1/health.pb.h"
#include "server/bounds.h"
#include "server/edge/authenticator.h"
#include "server/edge/gate.h"
#include "server/edge/service.h"
#include "server/edge/stream_counts.h"
#include "server/model_repository.h"
#include "server/net/acceptor.h"
#include "server/net/listening.h"

namespace resnetd::server {
namespace {

// A connection whose client vanished without a word is noticed after this, and its calls are cancelled and its
// descriptor is freed.
constexpr int kKeepaliveMs = 60'000, kKeepaliveTimeoutMs = 20'000;
// Clients that ping more often are disconnected. Idle ones may ping as often as busy ones: gRPC's defaults, five
// minutes with a call and two hours without, disconnect well-meant ones. Go's clients may be set to 10 seconds and no
// less; half of it leaves room for pings that travel unevenly.
constexpr int kMinPingIntervalMs = 5'000;
// This lies above the cap on calls, so that it is the cap that answers, with a reason, and health checks still get
// through.
constexpr int kStreamsBesideCalls = 64;
// Connections need this much beside the messages.
constexpr size_t kTransportBytes = size_t{64} << 20;
constexpr char kLiveness[] = "liveness";
constexpr absl::Duration kPoll = absl::Milliseconds(2);
// Connections are closed within this time once nothing is read from them: an instant, unless a client does not take its
// answers.
constexpr std::chrono::milliseconds kClosingTime(500);

absl::Status CheckOptions(const EdgeOptions& options) {
  const std::pair<Bounds, int64_t> given[] = {
      {bounds::kPort, options.port},
      {bounds::kMaxConnections, options.max_connections},
      {bounds::kMaxCallsInFlight, options.max_calls_in_flight},
      {bounds::kMaxBytesInFlight, static_cast<int64_t>(options.max_bytes_in_flight)},
      {bounds::kMaxMessageBytes, static_cast<int64_t>(options.max_message_bytes)},
      {bounds::kMaxImagesPerRequest, options.max_images_per_request},
      {bounds::kMaxImagePixels, options.image_limits.max_pixels},
      {bounds::kStreamWindow, options.stream_window},
  };
  RESNETD_RETURN_IF_ERROR(CheckAddressOrSocketFile("--address", options.address));
  for (const auto& [allowed, value] : given) RESNETD_RETURN_IF_ERROR(Check(allowed, value));
  if (options.max_message_bytes > options.max_bytes_in_flight) {
    return absl::InvalidArgumentError(
        absl::StrCat("--max-message-bytes of ", options.max_message_bytes, " is larger than --max-bytes-in-flight of ",
                     options.max_bytes_in_flight, ": such a message could never be read"));
  }
  return absl::OkStatus();
}

int MaxStreams(const EdgeOptions& options) {
  return options.max_calls_in_flight + kStreamsBesideCalls;
}

absl::Status CannotListen(const EdgeOptions& options, const absl::Status& why) {
  return absl::UnavailableError(absl::StrCat("cannot listen on ", Echo(HostPort(options.address, options.port)), ": ",
                                             why.message(), " (--address, --port)"));
}

std::vector<std::string> NamesOf(const std::vector<Protocol>& protocols) {
  std::vector<std::string> names;
  for (const Protocol& protocol : protocols) names.push_back(protocol.service);
  return names;
}

EnumTable<Excess, EventCounter*> CutCounters(Metrics& metrics) {
  EnumTable<Excess, EventCounter*> counters;
  for (const Excess excess : EnumValues<Excess>()) {
    counters[excess] = &metrics.ClosedConnections("grpc", ExcessName(excess));
  }
  return counters;
}

class GrpcEdge final : public Edge {
 public:
  GrpcEdge(const EdgeOptions& options, std::vector<Protocol> protocols, scheduling::Scheduler& scheduler,
           Metrics& metrics)
      : gate_(options.max_calls_in_flight, options.max_bytes_in_flight),
        rejections_(metrics),
        refused_(metrics.ClosedConnections("grpc", "limit")),
        cut_(CutCounters(metrics)),
        unknown_(NamesOf(protocols), metrics) {
    const Services services{gate_, scheduler, metrics, rejections_, options.max_message_bytes};
    for (Protocol& protocol : protocols) {
      endpoints_.push_back(std::make_unique<InferenceEndpoint>(std::move(protocol), services, options.stream_window,
                                                               options.authenticator));
    }
  }
  ~GrpcEdge() override { Shutdown(Now()); }

  absl::Status Listen(const EdgeOptions& options) {
    absl::StatusOr<Listening> listening = resnetd::server::Listen(options.address, options.port);
    if (!listening.ok()) return CannotListen(options, listening.status());
    port_ = listening->port;
    grpc::EnableDefaultHealthCheckService(true);
    // gRPC's health service brings no descriptor, and reflection would list what it cannot describe. The linker takes
    // ours out of its library only where something names it.
    google::protobuf::LinkMessageReflection<grpc::health::v1::HealthCheckRequest>();
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    // gRPC's own listeners go deaf for good when the process has no descriptor for one connection.
    grpc_connections_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, grpc::InsecureServerCredentials());
    // gRPC 1.51 measures a message when all of it has arrived, so its limit would save no memory; ours names the
    // option. What bounds messages on their way in is the quota.
    builder.SetMaxReceiveMessageSize(-1);
    grpc::ResourceQuota quota("resnetd");
    quota.Resize(2 * options.max_bytes_in_flight + kTransportBytes);
    builder.SetResourceQuota(quota);
    // A compressed message passes limits on what it is compressed to; JPEG and PNG do not get smaller anyway.
    for (auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
      builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
    }
    builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, MaxStreams(options));
    // What a client may send unasked stays the same, so that the guard knows a message from headers without end. The
    // room for a large message is announced as soon as its size is known, 1 MB at a time.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 1);  // StreamCounts
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);  // the server's pings too
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingIntervalMs);
    // Reflection is gRPC's one synchronous service here: one thread listens for it.
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
    for (const auto& endpoint : endpoints_) builder.RegisterService(endpoint.get());
    builder.RegisterCallbackGenericService(&unknown_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return absl::UnavailableError("gRPC could not be started");
    RESNETD_ASSIGN_OR_RETURN(
        acceptor_, Acceptor::Start(*std::move(listening), {.max_connections = options.max_connections,
                                                           .take = [this](Descriptor fd) { Take(std::move(fd)); },
                                                           .refused = [this] { refused_.Increment(); }}));
    const int64_t streams = MaxStreams(options);
    guard_ = Guard::Start(
        acceptor_->connections(),
        {.limits = {.streams = streams + streams / 2,
                    .streams_of_address = 2 * streams,
                    .message_bytes = static_cast<int64_t>(options.max_message_bytes)},
         .streams = [counts = std::make_shared<StreamCounts>()](const std::string& peer) { return counts->Of(peer); },
         .cut = [this](Excess excess) { cut_[excess]->Increment(); }});
    return absl::OkStatus();
  }

  int port() const override { return port_; }
  std::string WhyClosed() const override { return acceptor_->WhyClosed(); }
  int connections() const override { return static_cast<int>(acceptor_->connections().count()); }
  void SetServing(absl::string_view name, bool serving) override {
    server_->GetHealthCheckService()->SetServingStatus(std::string(name), serving);
  }
  void RefuseNewCalls() override { gate_.Close(); }
  int calls_in_flight() const override { return gate_.calls(); }

  void Shutdown(Time deadline) override {
    if (server_ == nullptr || shut_down_.exchange(true)) return;
    gate_.Close();
    while (gate_.calls() > 0 && Now() < deadline) absl::SleepFor(kPoll);
    CloseConnections();
    server_->Shutdown(std::chrono::system_clock::now());
  }

 private:
  // Calls that arrive while gRPC's Shutdown() begins are answered with CANCELLED, which is the client's word and no
  // server's. So nothing can arrive any more by then: connections are closed before, which clients know as UNAVAILABLE.
  void CloseConnections() {
    acceptor_->StopListening();
    const auto patience = Now() + kClosingTime;
    while (connections() > 0 && Now() < patience) {
      for (const auto& connection : acceptor_->connections().All()) connection->CloseInward();
      absl::SleepFor(kPoll);
    }
  }

  // The acceptor's thread calls this. gRPC owns the descriptor from here on.
  void Take(Descriptor fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = fd.Release();
    grpc_connections_->HandleNewConnection(&connection);
  }

  // The order matters: the endpoints use the gate and the counters, the server all of them.
  Gate gate_;
  const RejectionCounters rejections_;
  EventCounter& refused_;  // connections
  const EnumTable<Excess, EventCounter*> cut_;
  std::vector<std::unique_ptr<InferenceEndpoint>> endpoints_;
  UnknownMethods unknown_;
  int port_ = 0;
  std::atomic<bool> shut_down_{false};
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> grpc_connections_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<Guard> guard_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Edge>> Edge::Start(const EdgeOptions& options, std::vector<Protocol> protocols,
                                                  const ModelRepository& models, scheduling::Scheduler& scheduler,
                                                  Metrics& metrics) {
  RESNETD_RETURN_IF_ERROR(CheckOptions(options));
  auto edge = std::make_unique<GrpcEdge>(options, std::move(protocols), scheduler, metrics);
  RESNETD_RETURN_IF_ERROR(edge->Listen(options));
  edge->SetServing("", false);
  edge->SetServing(kLiveness, true);
  for (const auto& entry : models.List()) edge->SetServing(entry.name, false);
  return edge;
}

}  // namespace resnetd::server
