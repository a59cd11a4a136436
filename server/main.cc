// resnetd: serves residual networks over gRPC.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>

#include "absl/synchronization/mutex.h"
#include "base/cpu_budget.h"
#include "base/echo.h"
#include "server/connection_shares.h"
#include "server/library_log.h"
#include "server/options.h"
#include "server/process/descriptor_limit.h"
#include "server/process/memory.h"
#include "server/process/room.h"
#include "server/process/signals.h"
#include "server/server.h"

namespace {

// A thread of one batch spins so long for the others between two layers, in libgomp's rounds: some tens of
// microseconds. Its own default is a millisecond, in which the core could have gone to the thread that is waited for:
// beside other work ResNet-50 on two threads then took two to three times as long. With 300 rounds the default model
// took nearly twice as long as with 1000.
constexpr char kSpinCount[] = "1000";

// libgomp reads the variable when it is loaded, before main(): so the program starts itself once more. What the
// operator has set stands. What signals are blocked, and those that wait, stay so.
void BoundSpinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("GOMP_SPINCOUNT", kSpinCount, 1);
  execv("/proc/self/exe", argv);  // returns only if it failed; slower in a crowd, but serving
}

// Bytes of the addresses that a server needs when it has its threads, whatever its models take.
constexpr size_t kLeastMemory = size_t{64} << 20;

// Libraries initialise themselves before main(), which takes milliseconds: a SIGTERM then would end the process like
// any other. What stands in this section the dynamic linker calls before that. Only its own work comes earlier.
void BlockSignalsFirst(int /*argc*/, char** /*argv*/, char** /*environment*/) {
  resnetd::server::BlockSignals();
}
[[gnu::section(".preinit_array"), gnu::used]] void (*block_signals_first)(int, char**, char**) = BlockSignalsFirst;

}  // namespace

int main(int argc, char** argv) {
  resnetd::server::PrepareSignals();
  int exit_status = 0;
  const std::optional<resnetd::server::ServerOptions> options =
      resnetd::server::ParseOptions(argc, argv, std::cout, std::cerr, exit_status);
  if (!options.has_value()) return exit_status;
  if (options->threads > 1) BoundSpinning(argv);

  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("resnetd", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %L %v");
  spdlog::set_level(spdlog::level::from_str(options->log_level));

  // The distribution's Abseil looks for lock cycles on each locking of gRPC's mutexes: 3 % of a small model's call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  resnetd::server::StartLibraryLog();

  for (const std::string& warning : options->warnings) spdlog::warn("{}", warning);
  const resnetd::server::DescriptorLimit descriptors = resnetd::server::RaiseDescriptorLimit();
  spdlog::debug("open files: at most {}, {} before the start", descriptors.now, descriptors.before);
  const absl::StatusOr<resnetd::server::ConnectionShares> connections =
      resnetd::server::ShareConnections(options->max_connections, descriptors.now);
  if (!connections.ok()) {
    spdlog::error("{}", resnetd::EchoWords(connections.status().message()));
    return 1;
  }
  spdlog::debug("connections: at most {}, and {} of probes and scrapers", connections->grpc, connections->http);
  const int heaps = resnetd::server::PrepareHeaps(resnetd::ReadCpuBudget());
  const size_t memory = kLeastMemory + static_cast<size_t>(heaps - 1) * resnetd::server::kHeapAddresses;
  if (const absl::Status room = resnetd::server::CheckRoom(resnetd::server::ThreadsOf(*options), memory); !room.ok()) {
    spdlog::error("{}", resnetd::EchoWords(room.message()));
    return 1;
  }
  resnetd::server::Server server(*options, *connections);
  const resnetd::server::SignalThread signals([&server] { server.Stop(); });
  if (const absl::Status status = server.Run(); !status.ok()) {
    spdlog::error("{}", resnetd::EchoWords(status.message()));
    return 1;
  }
  return 0;
}
