// The server and its settings. gRPC's own threads serve everything; one of ours looks after clients that keep calls
// waiting.
#include "server/edge/edge.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
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
#include "base/networks.h"
#include "base/status_macros.h"
#include "base/time.h"
#include "server/bounds.h"
#include "server/edge/authenticator.h"
#include "server/edge/gate.h"
#include "server/edge/health/health.h"
#include "server/edge/patience.h"
#include "server/edge/service.h"
#include "server/edge/shares.h"
#include "server/edge/stream_counts.h"
#include "server/edge/watch.h"
#include "server/model_repository.h"
#include "server/net/acceptor.h"
#include "server/net/guard.h"
#include "server/net/listening.h"
#include "server/net/traffic.h"

namespace resnetd::server {
namespace {

// A connection whose client vanished without a word is noticed after this, and its calls are cancelled and its
// descriptor is freed.
constexpr int kKeepaliveMs = 60'000, kKeepaliveTimeoutMs = 20'000;
// Clients that ping more often are disconnected. Idle ones may ping as often as busy ones: gRPC's defaults, five
// minutes with a call and two hours without, disconnect well-meant ones. Go's clients may be set to 10 seconds and no
// less; half of it leaves room for pings that travel unevenly.
constexpr int kMinPingIntervalMs = 5'000;
// From the end of its age a connection has so long, and a fifth of the age, for the calls that are on it.
constexpr std::chrono::milliseconds kAgeGrace(60'000);
// Without a cap for a connection the limit of HTTP/2's streams lies above the caps on calls and streams, so that it is
// they that answer, with a reason, and health checks still get through.
constexpr int kStreamsBesideCalls = 64;
static_assert(kStreamsBesideCalls > kMostWatches);
// A message of this size is read to its end, so that its client is told that it is too large.
constexpr size_t kMessageToldTooLarge = size_t{64} << 20;
// Bytes.
constexpr int kMostReadAtOnce = 64 << 10;
// Connections need this much beside the messages.
constexpr size_t kTransportBytes = size_t{64} << 20;
constexpr absl::Duration kPoll = absl::Milliseconds(2);
// Connections are closed within this time once nothing is read from them: an instant, unless a client does not take its
// answers.
constexpr std::chrono::milliseconds kClosingTime(500);

absl::Status CheckOptions(const EdgeOptions& options) {
  const std::pair<Bounds, int64_t> given[] = {
      {bounds::kPort, options.port},
      {bounds::kMaxConnections, options.max_connections},
      {bounds::kMaxConnectionAge, std::chrono::ceil<std::chrono::seconds>(options.max_connection_age).count()},
      {bounds::kMaxCallsInFlight, options.max_calls_in_flight},
      {bounds::kMaxCallsPerConnection, options.max_calls_per_connection},
      {bounds::kMaxBytesInFlight, static_cast<int64_t>(options.max_bytes_in_flight)},
      {bounds::kMaxMessageBytes, static_cast<int64_t>(options.max_message_bytes)},
      {bounds::kMaxImagesPerRequest, options.max_images_per_request},
      {bounds::kMaxImagePixels, options.image_limits.max_pixels},
      {bounds::kStreamWindow, options.stream_window},
      {bounds::kMaxStreamsPerConnection, options.max_streams_per_connection},
      {bounds::kMessageTimeoutMs, options.message_timeout.count()},
      {bounds::kAnswerTimeoutMs, options.answer_timeout.count()},
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

int StreamsOf(const EdgeOptions& options) {
  const int most = options.max_calls_in_flight + options.max_streams_per_connection + kStreamsBesideCalls;
  return options.max_calls_per_connection > 0 ? std::min(options.max_calls_per_connection, most) : most;
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
    counters[excess] = &metrics.ClosedConnections(ExcessName(excess));
  }
  return counters;
}

// Tells gRPC how to treat connections and messages.
void SetOptions(const EdgeOptions& options, grpc::ServerBuilder& builder) {
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
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, StreamsOf(options));
  if (const auto age = options.max_connection_age; age > age.zero()) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, static_cast<int>(age.count()));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, static_cast<int>((kAgeGrace + age / 5).count()));
  }
  // The window of a client stays the same, so that the guard knows a message from headers without end. The
  // room for a large message is announced as soon as its size is known, 1 MB at a time.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  // Bytes that were read before a connection is cut are worked off nevertheless.
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kMostReadAtOnce);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 1);  // StreamCounts
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);  // the server's pings too
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingIntervalMs);
  // Reflection is gRPC's one synchronous service here: one thread listens for it.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
}

class GrpcEdge final : public Edge {
 public:
  GrpcEdge(const EdgeOptions& options, const Networks& proxies, std::vector<Protocol> protocols,
           scheduling::Scheduler& scheduler, Metrics& metrics)
      : max_age_(options.max_connection_age),
        proxies_(proxies),
        gate_(options.max_calls_in_flight, options.max_bytes_in_flight, options.max_streams_per_connection),
        rejections_(metrics),
        refusals_(options.refusals, {.saturated = [&scheduler] { return scheduler.saturated(); },
                                     .connection = [this](const std::string& peer) { return MayRest(peer); },
                                     .paused = [&metrics] { metrics.ConnectionPaused(); }}),
        refused_(metrics.ClosedConnections("limit")),
        cut_(CutCounters(metrics)),
        shares_([proxies](absl::string_view peer) { return IsProxy(peer, proxies); }),
        patience_({Duration(options.message_timeout), Duration(options.answer_timeout)},
                  [this](const std::string& peer) { return TrafficOf(peer); }),
        unknown_(NamesOf(protocols), metrics) {
    const Services services{gate_, scheduler, metrics, rejections_, options.max_message_bytes, patience_};
    protocols.push_back(HealthProtocol(health_));
    for (Protocol& protocol : protocols) {
      endpoints_.push_back(std::make_unique<Endpoint>(
          std::move(protocol), services, refusals_, shares_, options.stream_window, options.authenticator,
          [this](const std::string& peer, Time now) { return Retires(peer, now); }));
    }
  }
  ~GrpcEdge() override {
    Shutdown(Now());
    patience_.Stop();
    if (watchman_.joinable()) watchman_.join();
  }

  absl::Status Listen(const EdgeOptions& options) {
    absl::StatusOr<Listening> listening = resnetd::server::Listen(options.address, options.port);
    if (!listening.ok()) return CannotListen(options, listening.status());
    port_ = listening->port;
    RESNETD_ASSIGN_OR_RETURN(
        acceptor_, Acceptor::Create(*std::move(listening), {.max_connections = options.max_connections,
                                                            .take = [this](Descriptor fd) { Take(std::move(fd)); },
                                                            .refused = [this] { refused_.Increment(); }}));
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    // gRPC's own listeners go deaf for good when the process has no descriptor for one connection.
    grpc_connections_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, grpc::InsecureServerCredentials());
    SetOptions(options, builder);
    for (const auto& endpoint : endpoints_) builder.RegisterService(endpoint.get());
    builder.RegisterCallbackGenericService(&unknown_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return absl::UnavailableError("gRPC could not be started");
    guard_ = StartGuard(options);
    acceptor_->Begin();
    watchman_ = std::thread([this] { patience_.Run(); });
    return absl::OkStatus();
  }

  int port() const override { return port_; }
  std::string WhyClosed() const override { return acceptor_->WhyClosed(); }
  int connections() const override { return static_cast<int>(acceptor_->connections().count()); }
  void SetServing(absl::string_view name, bool serving) override { health_.Set(name, serving); }
  void RefuseNewCalls() override {
    gate_.Close();
    refusals_.Release();
  }
  int calls_in_flight() const override { return gate_.calls(); }
  int refusals_held() const override { return static_cast<int>(refusals_.held()); }

  void Shutdown(Time deadline) override {
    if (server_ == nullptr || shut_down_.exchange(true)) return;
    RefuseNewCalls();
    health_.Stop();
    while ((gate_.calls() > 0 || refusals_held() > 0) && Now() < deadline) absl::SleepFor(kPoll);
    health_.End();
    // The last word to watches is still on its way.
    for (const Time patience = Now() + kClosingTime; health_.subscriptions() > 0 && Now() < patience;) {
      absl::SleepFor(kPoll);
    }
    CloseConnections();
    server_->Shutdown(std::chrono::system_clock::now());
  }

 private:
  std::unique_ptr<Guard> StartGuard(const EdgeOptions& options) {
    // A client that cancels all of its calls and makes others has more of them for an instant than it may have.
    const int64_t streams = options.max_calls_in_flight + kStreamsBesideCalls;
    return Guard::Start(
        acceptor_->connections(),
        {.limits = {.streams = streams + streams / 4,
                    .streams_of_address = streams + streams / 2,
                    .message_bytes =
                        static_cast<int64_t>(std::max(2 * options.max_message_bytes, kMessageToldTooLarge))},
         .streams = [counts = std::make_shared<StreamCounts>()](const std::string& peer) { return counts->Of(peer); },
         .trusted = [this](absl::string_view peer) { return IsProxy(peer, proxies_); },
         .cut = [this](Excess excess) { cut_[excess]->Increment(); }});
  }

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

  // gRPC asks clients to leave a connection between 0.9 and 1.1 of the age, by chance. Streams end when it has.
  Time Retires(const std::string& peer, Time now) const {
    if (max_age_ == max_age_.zero()) return Time::max();
    const std::shared_ptr<Connection> connection = acceptor_->connections().Find(peer);
    return SaturatingAdd(connection == nullptr ? now : connection->since(), max_age_ + max_age_ / 10);
  }

  // A proxy's connection carries the calls of clients whom nothing was refused.
  std::shared_ptr<Connection> MayRest(const std::string& peer) const {
    return IsProxy(peer, proxies_) ? nullptr : acceptor_->connections().Find(peer);
  }

  std::optional<Traffic> TrafficOf(const std::string& peer) const {
    const std::shared_ptr<Connection> connection = acceptor_->connections().Find(peer);
    return connection == nullptr ? std::nullopt : connection->traffic();
  }

  // The acceptor's thread calls this. gRPC owns the descriptor from here on.
  void Take(Descriptor fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = fd.Release();
    grpc_connections_->HandleNewConnection(&connection);
  }

  const std::chrono::milliseconds max_age_;
  const Networks proxies_;
  // The order matters: the endpoints use the gate, the counters and the refusals, the server all of them.
  Gate gate_;
  const RejectionCounters rejections_;
  Refusals refusals_;
  EventCounter& refused_;  // connections
  const EnumTable<Excess, EventCounter*> cut_;
  Shares shares_;
  Patience patience_;
  Health health_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  UnknownMethods unknown_;
  int port_ = 0;
  std::atomic<bool> shut_down_{false};
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> grpc_connections_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Acceptor> acceptor_;
  std::thread watchman_;  // runs patience_
  std::unique_ptr<Guard> guard_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Edge>> Edge::Start(const EdgeOptions& options, std::vector<Protocol> protocols,
                                                  const ModelRepository& models, scheduling::Scheduler& scheduler,
                                                  Metrics& metrics) {
  RESNETD_RETURN_IF_ERROR(CheckOptions(options));
  RESNETD_ASSIGN_OR_RETURN(const Networks proxies, Networks::Parse(kTrustedProxies, options.trusted_proxies));
  auto edge = std::make_unique<GrpcEdge>(options, proxies, std::move(protocols), scheduler, metrics);
  for (const auto& entry : models.List()) edge->SetServing(entry.name, false);
  RESNETD_RETURN_IF_ERROR(edge->Listen(options));
  return edge;
}

}  // namespace resnetd::server
