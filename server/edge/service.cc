// The methods are put together here as the code that protoc generates would, but all as bidirectional streams over
// ByteBuffer. grpc::CallbackGenericService would give the same view of a call, and reflection would then list no
// service: gRPC takes the names of services from their registered methods.
#include "server/edge/service.h"

#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/rpc_service_method.h>

#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/time.h"
#include "server/edge/authenticator.h"
#include "server/edge/error.h"
#include "server/edge/grpc_status.h"
#include "server/edge/queue_refusal.h"
#include "server/edge/watch.h"

namespace resnetd::server {
namespace {

using Handler = grpc::internal::CallbackBidiHandler<grpc::ByteBuffer, grpc::ByteBuffer>;

}  // namespace

Endpoint::Endpoint(Protocol protocol, const Services& services, Refusals& refusals, Shares& shares, int stream_window,
                   std::shared_ptr<Authenticator> authenticator,
                   std::function<Time(const std::string& peer, Time now)> retires)
    : protocol_(std::move(protocol)),
      services_(services),
      refusals_(refusals),
      shares_(shares),
      authenticator_(std::move(authenticator)),
      retires_(std::move(retires)) {
  for (size_t i = 0; i < protocol_.methods.size(); ++i) {
    const Method& method = protocol_.methods[i];
    // gRPC keeps the pointer to the name for as long as the service lives.
    names_.push_back(std::make_unique<std::string>(absl::StrCat("/", protocol_.service, "/", method.name)));
    AddMethod(new grpc::internal::RpcServiceMethod(names_.back()->c_str(), grpc::internal::RpcMethod::BIDI_STREAMING,
                                                   nullptr));
    const ServedMethod served{.method = method,
                              .codes = protocol_.codes,
                              .metrics = services_.metrics.Method(method.name),
                              .window = method.streaming ? stream_window : 1};
    MarkMethodRawCallback(static_cast<int>(i), new Handler([this, served](grpc::CallbackServerContext* context) {
                            return Arrived(served, *context);
                          }));
  }
}

// Health is open to everybody: load balancers and the kubelet have no credentials.
absl::StatusOr<PrincipalId> Endpoint::Authenticate(const Method& method,
                                                   const grpc::CallbackServerContext& context) const {
  if (authenticator_ == nullptr || method.watch != nullptr) return PrincipalId::kAnonymous;
  return authenticator_->Authenticate(context.client_metadata());
}

Reactor* Endpoint::Arrived(const ServedMethod& served, grpc::CallbackServerContext& context) {
  YieldToWorkers();
  Arrival arrival{.at = Now()};
  arrival.deadline = ToSteady(context.deadline(), std::chrono::system_clock::now(), arrival.at);
  const auto refuse = [&](const absl::Status& why) {
    served.metrics.Ended(ToGrpcCode(why, served.codes), Now() - arrival.at);
    return NewRefusedCall(context, why, served.codes);
  };

  const absl::StatusOr<PrincipalId> caller = Authenticate(served.method, context);
  if (!caller.ok()) {
    services_.rejections.Count(Rejection::kUnauthenticated);
    return refuse(caller.status());
  }
  arrival.principal = *caller;
  if (arrival.deadline <= arrival.at) {
    return refuse(Error(absl::StatusCode::kDeadlineExceeded, reason::kDeadlineExceeded,
                        "the deadline had passed when the call arrived"));
  }
  if (served.method.computes && !served.method.streaming && !services_.gate.closed()) {
    if (const auto verdict = services_.scheduler.RefusalOfAll(refusals_.DeadlineOf(context, arrival))) {
      const absl::Status why =
          QueueRefusal(*verdict, services_.scheduler.limits(), arrival.deadline - arrival.at, services_.rejections);
      served.metrics.Ended(ToGrpcCode(why, served.codes), Now() - arrival.at);
      return refusals_.Refuse(context, arrival, why, served.codes);
    }
  }
  std::shared_ptr<ConnectionLoad> load = shares_.Of(context.peer());
  if (served.method.watch != nullptr) {
    if (load->health.fetch_add(1) < kMostWatches || load->trusted) {
      return NewWatchCall(context, served, services_, arrival, std::move(load));
    }
    load->health.fetch_sub(1);
    services_.rejections.Count(Rejection::kConnectionCalls);
    return refuse(Refused(Rejection::kConnectionCalls,
                          absl::StrCat("the connection has as many health calls open as it may: ", kMostWatches),
                          RefusedBy{"limit_calls", kMostWatches}));
  }
  Gate& gate = services_.gate;
  if (const auto rejection = served.method.streaming ? gate.EnterStream(*load) : gate.Enter(*load)) {
    services_.rejections.Count(*rejection);
    return refuse(gate.Refusal(*rejection));
  }
  if (served.method.streaming) arrival.retires = retires_(context.peer(), arrival.at);
  return Call::New(context, served, services_, arrival, std::move(load));
}

UnknownMethods::UnknownMethods(const std::vector<std::string>& services, Metrics& metrics)
    : error_(Error(
          absl::StatusCode::kUnimplemented, reason::kUnknownMethod,
          absl::StrCat("no such method: this server has ", absl::StrJoin(services, ", "), ", health and reflection"))),
      metrics_(metrics.Method("unknown")) {}

grpc::ServerGenericBidiReactor* UnknownMethods::CreateReactor(grpc::GenericCallbackServerContext* context) {
  metrics_.Ended(grpc::StatusCode::UNIMPLEMENTED, Duration::zero());
  return NewRefusedCall(*context, error_, kGrpcCodes);
}

}  // namespace resnetd::server
