// One line an option: the table a reader scrolls, and --help prints.
#include "server/options.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "server/environment.h"

namespace resnetd::server {
namespace {

constexpr int kLargestBatch = 256, kMostThreads = 256;
constexpr int64_t kDayMs = 24LL * 3600 * 1000;

class Table {
 public:
  explicit Table(CLI::App& app) : app_(app) {}

  // Starts a group of --help.
  void Group(const char* name) { group_ = name; }

  template <typename T>
  CLI::Option* Add(const std::string& name, T& value, const char* help) {
    return app_.add_option(name, value, help)->envname(VariableOf(name))->capture_default_str()->group(group_);
  }

  template <typename T>
  void AddWithin(const std::string& name, T& value, int64_t least, int64_t most, const char* help) {
    const auto within = [name, least, most](const std::string& text) {
      int64_t number = 0;
      if (CLI::detail::lexical_cast(text, number) && number >= least && number <= most) return std::string();
      return "expected " + std::to_string(least) + " to " + std::to_string(most) + ", got " + Echo(text);
    };
    Add(name, value, help)->check(within);
  }

  // In milliseconds.
  template <typename D>
  void AddMs(const std::string& name, D& duration, const char* help) {
    const auto set = [&duration](const int64_t& ms) { duration = std::chrono::milliseconds(ms); };
    const auto within = [](const std::string& text) {
      int64_t ms = 0;
      if (CLI::detail::lexical_cast(text, ms) && ms >= 0 && ms <= kDayMs) return std::string();
      return "expected 0 to " + std::to_string(kDayMs) + " milliseconds, got " + Echo(text);
    };
    const int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    app_.add_option_function<int64_t>(name, set, help)
        ->envname(VariableOf(name))
        ->default_str(std::to_string(now))
        ->check(within)
        ->group(group_);
  }

 private:
  CLI::App& app_;
  std::string group_;
};

// Opening it would say that there is no such file, and not where the name is from.
std::string CheckPath(const std::string& path) {
  return absl::StrContains(path, "://") ? absl::StrCat("expected a path, got ", Quoted(path)) : "";
}

void AddModelOptions(Table& table, ServerOptions& o) {
  table.Group("Models");
  CLI::Option* file = table.Add("--model", o.model_file, "Serve this ONNX file")->check(CheckPath);
  table.Add("--models", o.models_folder, "Serve <name>/<version>/model.onnx of this folder, or its model.onnx")
      ->check(CheckPath)
      ->excludes(file);
  table.Add("--recipe", o.recipe, "Preprocessing preset of --model, in place of its config's")->needs(file);
  table.Add("--labels", o.labels_file, "Labels of --model, one a line, in place of labels.txt beside it")
      ->check(CheckPath)
      ->needs(file);
  table.Add("--batch-sizes", o.batch_sizes, "Batch sizes to compile, ascending")
      ->delimiter(',')
      ->default_str("1,2,4,8")
      ->check(CLI::Range(1, kLargestBatch));
}

void AddListeningOptions(Table& table, ServerOptions& o) {
  constexpr int64_t kIntMax = std::numeric_limits<int>::max();
  table.Group("Listening");
  table.Add("--address", o.edge.address, "Address of the gRPC port; 0.0.0.0 for all interfaces");
  table.AddWithin("--port", o.edge.port, 0, 65535, "gRPC port; 0: any free one, named in the log");
  table.Add("--metrics-address", o.metrics_address, "Address of /metrics, /livez and /readyz");
  table.AddWithin("--metrics-port", o.metrics_port, 0, 65535, "Their port; 0: any free one");
  table.Group("Limits");
  table.AddWithin("--max-calls-in-flight", o.edge.max_calls_in_flight, 1, 1'000'000, "Calls and streams at once");
  table.AddWithin("--max-bytes-in-flight", o.edge.max_bytes_in_flight, 1, int64_t{1} << 46,
                  "Request bytes from reading to answer");
  table.AddWithin("--max-message-bytes", o.edge.max_message_bytes, 1, kIntMax,
                  "One request message, and the embeddings of one answer");
  table.AddWithin("--max-images-per-request", o.edge.max_images_per_request, 1, 65536, "Images of one request");
  table.AddWithin("--max-image-pixels", o.edge.image_limits.max_pixels, 1, int64_t{1} << 30,
                  "Width x height of an encoded image");
  table.AddWithin("--stream-window", o.edge.stream_window, 1, 65536, "Requests read ahead of the answers of a stream");
}

void AddSchedulingOptions(Table& table, ServerOptions& o) {
  table.Group("Scheduling");
  table.AddWithin("--workers", o.workers, 0, kMostThreads, "Batches computed side by side; 0: CPU budget / threads");
  table.AddWithin("--threads", o.threads, 1, kMostThreads, "Threads of one batch");
  table.AddMs("--max-queue-ms", o.scheduling.max_queue_time, "Longest predicted wait; longer ones are refused");
  table.AddWithin("--max-queue-bytes", o.scheduling.max_queue_bytes, 1, int64_t{1} << 46, "Bytes of images that wait");
  table.AddMs("--default-deadline-ms", o.default_deadline, "Deadline of calls that bring none; 0: none");
  table.Group("Operation");
  table.AddMs("--lame-duck-ms", o.lame_duck, "After SIGTERM: serve on while load balancers take notice");
  table.AddMs("--drain-ms", o.drain, "Then: how long calls in flight may take");
  table.Add("--log-level", o.log_level, "Least severity that is logged")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
}

// The arguments, those that stand in the environment in front. CLI11 reads variables too, but its versions differ about
// wrong values, and some pass over them; as arguments they are checked like any other. One that the command line gives
// itself is left out.
std::vector<std::string> WithEnvironment(CLI::App& app, int argc, const char* const* argv,
                                         std::vector<std::string>& warnings) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  std::vector<std::string> names, from_environment;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_envname().empty()) names.push_back(option->get_name());
  }
  Environment environment = ReadEnvironment(environ, names);
  warnings = std::move(environment.warnings);
  for (const std::string& name : names) {
    const std::string variable = VariableOf(name);
    // CLI11 would read what was passed over.
    if (absl::c_linear_search(environment.passed_over, variable)) app.get_option(name)->envname("");
    const auto value = environment.values.find(variable);
    if (value == environment.values.end()) continue;
    const auto is_option = [&](const std::string& a) { return a == name || a.rfind(name + "=", 0) == 0; };
    if (std::any_of(arguments.begin(), arguments.end(), is_option)) continue;
    from_environment.push_back(name + "=" + value->second);
  }
  arguments.insert(arguments.begin(), from_environment.begin(), from_environment.end());
  return arguments;
}

}  // namespace

std::optional<ServerOptions> ParseOptions(int argc, const char* const* argv, std::ostream& out, std::ostream& err,
                                          int& exit_status) {
  ServerOptions options;
  CLI::App app{"Serves residual networks over gRPC. Without --model and --models: the embedded one.", "resnetd"};
  app.set_version_flag("--version", "resnetd " RESNETD_VERSION);
  std::vector<std::string> arguments;
  app.failure_message([&arguments](const CLI::App* failed, const CLI::Error& error) {
    return EchoArguments(CLI::FailureMessage::simple(failed, error), arguments);
  });
  Table table(app);
  AddModelOptions(table, options);
  AddListeningOptions(table, options);
  AddSchedulingOptions(table, options);
  try {
    arguments = WithEnvironment(app, argc, argv, options.warnings);
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // as CLI11 takes a vector
    if (std::adjacent_find(options.batch_sizes.begin(), options.batch_sizes.end(), std::greater_equal<>()) !=
        options.batch_sizes.end()) {
      throw CLI::ValidationError("--batch-sizes", "expected ascending sizes");
    }
  } catch (const CLI::ParseError& e) {
    exit_status = app.exit(e, out, err) == 0 ? 0 : 2;
    return std::nullopt;
  }
  return options;
}

}  // namespace resnetd::server
