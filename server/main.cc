// resnetd: serves residual networks over gRPC.
#include <pthread.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include "server/cpu_budget.h"
#include "server/options.h"
#include "server/process_memory.h"
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

// How long a thread of one batch spins for the others between two layers, in libgomp's rounds: some tens of
// microseconds. Its own default is a millisecond, in which the core could have gone to the thread that is waited for:
// beside other work ResNet-50 on two threads then took two to three times as long. With 300 rounds the default model
// took nearly twice as long as with 1000.
constexpr char kSpinCount[] = "1000";

// libgomp reads the variable when it is loaded, before main(): so the program starts itself once more. What the
// operator has set stands.
void BoundSpinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("GOMP_SPINCOUNT", kSpinCount, 1);
  execv("/proc/self/exe", argv);  // returns only if it failed; slower in a crowd, but serving
}

}  // namespace

int main(int argc, char** argv) {
  int exit_status = 0;
  const std::optional<resnetd::server::ServerOptions> options =
      resnetd::server::ParseOptions(argc, argv, std::cout, std::cerr, exit_status);
  if (!options.has_value()) return exit_status;
  if (options->threads > 1) BoundSpinning(argv);

  // Before any thread starts: all inherit it.
  const sigset_t blocked = Signals();
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);

  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("resnetd", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %L %v");
  spdlog::set_level(spdlog::level::from_str(options->log_level));

  resnetd::server::PrepareHeaps(resnetd::server::ReadCpuBudget());
  resnetd::server::Server server(*options);
  const SignalThread signals(server);
  if (const absl::Status status = server.Run(); !status.ok()) {
    spdlog::error("{}", std::string(status.message()));
    return 1;
  }
  return 0;
}
