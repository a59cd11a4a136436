// resnetd: serves residual networks over gRPC.
#include <pthread.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include "server/options.h"
#include "server/server.h"

namespace {

// SIGTERM and SIGINT stop the server; SIGUSR1 ends the thread that waits for them.
sigset_t Signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, signal);
  return signals;
}

// Waits for signals, blocked everywhere, in a thread of its own: what ends a server is nothing for a signal handler to
// do.
class SignalThread {
 public:
  explicit SignalThread(resnetd::server::Server& server) {
    thread_ = std::thread([&server] {
      const sigset_t signals = Signals();
      for (int signal = 0; sigwait(&signals, &signal) == 0 && signal != SIGUSR1;) server.Stop();
    });
  }
  ~SignalThread() {
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }

 private:
  std::thread thread_;
};

}  // namespace

int main(int argc, char** argv) {
  int exit_status = 0;
  const std::optional<resnetd::server::ServerOptions> options =
      resnetd::server::ParseOptions(argc, argv, std::cout, std::cerr, exit_status);
  if (!options.has_value()) return exit_status;

  // Before any thread starts: all inherit it.
  const sigset_t blocked = Signals();
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);

  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("resnetd", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %L %v");
  spdlog::set_level(spdlog::level::from_str(options->log_level));

  resnetd::server::Server server(*options);
  const SignalThread signals(server);
  if (const absl::Status status = server.Run(); !status.ok()) {
    spdlog::error("{}", std::string(status.message()));
    return 1;
  }
  return 0;
}
