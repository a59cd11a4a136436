#ifndef RESNETD_SERVER_OPTIONS_H_
#define RESNETD_SERVER_OPTIONS_H_

#include <chrono>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "server/edge/edge.h"
#include "server/scheduling/policy.h"

// The command line of resnetd. Every option is an environment variable too: --max-queue-ms is RESNETD_MAX_QUEUE_MS.
namespace resnetd::server {

struct ServerOptions {
  // The models that are served: one file, a folder of models, or, with neither, the embedded model.
  std::string model_file, models_folder;
  // For a single model file, a preset's name and a file of labels replace what lies beside it.
  std::string recipe, labels_file;
  // Whether models that cannot be loaded are left out, as long as there is one that can be. Otherwise the first of them
  // keeps the server from serving.
  bool keep_going = false;

  EdgeOptions edge{};

  // Metrics and probes, in plain HTTP. Loopback, unless somebody else is meant to see them.
  std::string metrics_address = "127.0.0.1";
  int metrics_port = 8501;

  // Workers compute batches side by side, each with `threads` threads. 0 workers: the CPU budget divided by `threads`.
  // One worker a core gives the most images/s; one worker with all cores the shortest wait for a lone image.
  int workers = 0;
  int threads = 1;
  // Compiled at load, ascending. The largest bounds how many images share a pass: more of them, more images/s and
  // longer answers.
  std::vector<int> batch_sizes = {1, 2, 4, 8};

  scheduling::Limits scheduling{};                // its `workers` is set from the above
  std::chrono::milliseconds default_deadline{0};  // of calls that bring none; 0: none

  // After SIGTERM: how long calls are still welcome while load balancers learn that they are not, and how long calls
  // that are in flight then may take.
  std::chrono::milliseconds lame_duck{5000}, drain{30000};

  std::string log_level = "info";

  std::vector<std::string> warnings;  // about the environment, for the log
};

// The options, or nullopt with the status to exit with: 0 after --help or --version, 2 after a mistake, which is
// printed to `err` and names the option.
std::optional<ServerOptions> ParseOptions(int argc, const char* const* argv, std::ostream& out, std::ostream& err,
                                          int& exit_status);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_OPTIONS_H_
