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
#include "base/time.h"
#include "server/edge/authenticator.h"
#include "server/edge/error.h"

namespace resnetd::server {
namespace {

constexpr absl::string_view kService = "/resnetd.v1.InferenceService/";

using Handler = grpc::internal::CallbackBidiHandler<grpc::ByteBuffer, grpc::ByteBuffer>;

}  // namespace

InferenceEndpoint::InferenceEndpoint(std::vector<Served> methods, const Services& services,
                                     std::shared_ptr<Authenticator> authenticator)
    : services_(services), authenticator_(std::move(authenticator)) {
  for (size_t i = 0; i < methods.size(); ++i) {
    // gRPC keeps the pointer to the name for as long as the service lives.
    names_.push_back(std::make_unique<std::string>(absl::StrCat(kService, MethodName(methods[i].method))));
    AddMethod(new grpc::internal::RpcServiceMethod(names_.back()->c_str(), grpc::internal::RpcMethod::BIDI_STREAMING,
                                                   nullptr));
    MarkMethodRawCallback(static_cast<int>(i),
                          new Handler([this, served = methods[i]](grpc::CallbackServerContext* context) {
                            return Arrived(served, *context);
                          }));
  }
}

Reactor* InferenceEndpoint::Arrived(const Served& served, grpc::CallbackServerContext& context) {
  const auto arrived = Now();
  const Time deadline = ToSteady(context.deadline(), std::chrono::system_clock::now(), arrived);
  const auto refuse = [&](const absl::Status& why) {
    services_.metrics.CallEnded(served.method, static_cast<int>(why.code()), Now() - arrived);
    return NewRefusedCall(context, why);
  };

  if (authenticator_ != nullptr) {
    const absl::StatusOr<PrincipalId> caller = authenticator_->Authenticate(context.client_metadata());
    if (!caller.ok()) {
      services_.metrics.Rejected(Rejection::kUnauthenticated);
      return refuse(caller.status());
    }
  }
  if (deadline <= arrived) {
    return refuse(Error(absl::StatusCode::kDeadlineExceeded, reason::kDeadlineExceeded,
                        "the deadline had passed when the call arrived"));
  }
  if (const std::optional<Rejection> rejection = services_.gate.Enter()) {
    services_.metrics.Rejected(*rejection);
    return refuse(services_.gate.Refusal(*rejection));
  }
  return Call::New(context, served, services_, arrived, deadline);
}

grpc::ServerGenericBidiReactor* UnknownMethods::CreateReactor(grpc::GenericCallbackServerContext* context) {
  metrics_.CallEnded(Method::kUnknown, grpc::StatusCode::UNIMPLEMENTED, Duration::zero());
  return NewRefusedCall(*context, Error(absl::StatusCode::kUnimplemented, reason::kUnknownMethod,
                                        "no such method: this server has resnetd.v1.InferenceService, health and "
                                        "reflection"));
}

}  // namespace resnetd::server
