// Channels. The reconnection delays are short: a person or a probe is waiting for the server to come up. The minimum
// among them stays gRPC's own 20 s: it is also how long a connection may take, and a busy server's takes a while.
#include "cli/call/client.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace resnetd::cli {

std::shared_ptr<grpc::Channel> Connect(const Context& context) {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(-1);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  return grpc::CreateCustomChannel(context.server, grpc::InsecureChannelCredentials(), args);
}

std::string OneLineOfCall(const Context& context, const CallError& error) {
  const std::string server = Echo(context.server);
  if (IsUnreachable(error)) {
    return absl::StrCat(server, ": no server answers there: ", WhyUnreachable(error), " (--server names another)");
  }
  if (error.code == grpc::StatusCode::DEADLINE_EXCEEDED && error.reason.empty()) {
    return absl::StrCat(server, ": no answer in time (--timeout gives it longer)");
  }
  return absl::StrCat(server, ": ", OneLine(error));
}

std::string ExplainCall(const Context& context, const CallError& error) {
  return OneLineOfCall(context, error) + Details(error);
}

void SetDeadline(grpc::ClientContext& call, double seconds) {
  call.set_deadline(std::chrono::system_clock::now() + std::chrono::duration_cast<std::chrono::system_clock::duration>(
                                                           std::chrono::duration<double>(seconds)));
}

}  // namespace resnetd::cli
