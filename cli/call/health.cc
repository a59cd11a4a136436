// resnetctl health: for container health checks and for scripts that wait for a server. The exit status is 0 only if
// the service is SERVING.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "CLI/CLI.hpp"
#include "base/echo.h"
#include "base/time.h"
#include "cli/call/client.h"
#include "cli/command.h"
#include "cli/error.h"
#include "cli/print/json.h"
#include "cli/print/progress.h"
#include "cli/print/table.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace resnetd::cli {
namespace {

namespace health = grpc::health::v1;

constexpr auto kPollInterval = std::chrono::milliseconds(100);

struct Options {
  std::string service;
  bool watch = false;
  double wait_seconds = 0;
};

struct Answer {
  grpc::Status status;
  health::HealthCheckResponse response;
  bool serving() const { return status.ok() && response.status() == health::HealthCheckResponse::SERVING; }
};

Answer Check(health::Health::Stub& stub, const std::string& service, double timeout_seconds) {
  Answer answer;
  grpc::ClientContext call;
  SetDeadline(call, timeout_seconds);
  health::HealthCheckRequest request;
  request.set_service(service);
  answer.status = stub.Check(&call, request, &answer.response);
  return answer;
}

void Print(const Context& context, const std::string& service, const health::HealthCheckResponse& response) {
  const std::string status = health::HealthCheckResponse::ServingStatus_Name(response.status());
  if (context.json) {
    *context.out << Dump({{"service", service}, {"status", status}}, -1) << std::endl;
  } else {
    *context.out << (service.empty() ? "" : Echo(service) + ": ") << status << std::endl;
  }
}

// Asks until the service is SERVING or the time is up; the last answer.
Answer CheckUntilServing(const Context& context, health::Health::Stub& stub, const Options& options) {
  Progress progress(*context.err, context.err_is_terminal, options.wait_seconds, "s");
  const auto start = Now();
  const auto give_up = start + std::chrono::duration<double>(options.wait_seconds);
  for (;;) {
    const double left = std::chrono::duration<double>(give_up - Now()).count();
    // The last try gets a moment even if the time is up.
    const double timeout =
        options.wait_seconds > 0 ? std::min(std::max(left, 0.1), context.timeout_seconds) : context.timeout_seconds;
    Answer answer = Check(stub, options.service, timeout);
    if (answer.serving() || Now() + kPollInterval >= give_up) return answer;
    progress.Update(std::chrono::duration<double>(Now() - start).count());
    std::this_thread::sleep_for(kPollInterval);
  }
}

int CheckOrWait(const Context& context, health::Health::Stub& stub, const Options& options) {
  const Answer answer = CheckUntilServing(context, stub, options);
  if (answer.status.ok()) {
    Print(context, options.service, answer.response);
  } else {
    *context.err << ExplainCall(context, ErrorFrom(answer.status)) << '\n';
  }
  return answer.serving() ? kOk : kFailed;
}

// Prints every change until the server ends the call; the last answer decides.
int Watch(const Context& context, health::Health::Stub& stub, const Options& options) {
  grpc::ClientContext call;
  health::HealthCheckRequest request;
  request.set_service(options.service);
  const auto reader = stub.Watch(&call, request);
  health::HealthCheckResponse response;
  while (reader->Read(&response)) Print(context, options.service, response);
  const grpc::Status status = reader->Finish();
  if (!status.ok()) *context.err << ExplainCall(context, ErrorFrom(status)) << '\n';
  return status.ok() && response.status() == health::HealthCheckResponse::SERVING ? kOk : kFailed;
}

}  // namespace

Command AddHealth(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("--service", options->service, "A model's name, or \"liveness\"; default: the server as a whole");
  auto* watch = app.add_flag("--watch", options->watch, "Print every change until the server goes away");
  app.add_option("--wait", options->wait_seconds, "Seconds to wait until it is SERVING")
      ->check(CLI::Range(0.0, 86400.0))
      ->excludes(watch);
  return [options](const Context& context) {
    const auto stub = health::Health::NewStub(Connect(context));
    return options->watch ? Watch(context, *stub, *options) : CheckOrWait(context, *stub, *options);
  };
}

}  // namespace resnetd::cli
