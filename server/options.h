#ifndef RESNETD_SERVER_OPTIONS_H_
#define RESNETD_SERVER_OPTIONS_H_

#include <chrono>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/edge/edge.h"
#include "server/scheduling/policy.h"

// The command line of resnetd. Every option is an environment variable too: --max-queue-ms is RESNETD_MAX_QUEUE_MS.
namespace resnetd::server {

struct ServerOptions {
  // The models that are served: one file, a folder of models, or, with neither, the embedded model.
  std::string model_file, models_folder;
  // The folder below which all files of the models must lie, whatever their links; empty: that of --models, or
  // --model's own (Folder::Open()).
  std::string model_root;
  // For a single model file, a preset's name, a size of images and a file of labels replace what lies beside it.
  std::string recipe, input_size, labels_file;
  // Whether models that cannot be loaded are left out, as long as there is one that can be. Otherwise the first of them
  // keeps the server from serving.
  bool keep_going = false;

  EdgeOptions edge{};

  // Metrics and probes, in plain HTTP. Loopback, unless somebody else is meant to see them.
  std::string metrics_address = "127.0.0.1";
  int metrics_port = 8501;

  // Connections to both ports at once. 0: as many as the limit of open files allows.
  int max_connections = 0;

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

// The variables of the environment that speak to the server: those that begin with RESNETD_.
struct Environment {
  std::map<std::string, std::string> values;  // of options, by the option's variable; none is empty
  std::vector<std::string> passed_over;       // variables of options whose value is Kubernetes'
  std::vector<std::string> warnings;          // one line each
};

// --max-queue-ms -> RESNETD_MAX_QUEUE_MS
std::string VariableOf(absl::string_view option);

// Sorts the entries NAME=VALUE of `environment`, which ends with a null pointer, given the `options` there are.
//
// Kubernetes sets variables for each Service of a namespace in each of its pods: beside one called resnetd,
// RESNETD_PORT=tcp://10.0.0.1:8500 and more. What has that form, name and value, is no option's. Names that are neither
// an option's nor of Kubernetes' making are warned of, with the option that is nearest; empty values count as unset.
Environment ReadEnvironment(const char* const* environment, const std::vector<std::string>& options);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_OPTIONS_H_
