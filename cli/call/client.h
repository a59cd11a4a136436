#ifndef RESNETD_CLI_CALL_CLIENT_H_
#define RESNETD_CLI_CALL_CLIENT_H_

#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/error.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"

namespace resnetd::cli {

// A channel to context.server with a connection of its own. Connects when first used; never through a proxy that the
// environment names, since a health check of a loopback server must not leave the machine.
std::shared_ptr<grpc::Channel> Connect(const Context& context);

// Tells a person about a call of this server's that failed: "server: CODE: message", or in a sentence that nobody
// answers there.
std::string OneLineOfCall(const Context& context, const CallError& error);
// The same with the error's details.
std::string ExplainCall(const Context& context, const CallError& error);

// Sets the deadline of a call that starts now.
void SetDeadline(grpc::ClientContext& call, double seconds);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_CALL_CLIENT_H_
