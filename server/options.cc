// One line an option: the table a reader scrolls, and --help prints. Behind it, what the environment says of them.
#include "server/options.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/address.h"
#include "base/echo.h"
#include "base/edit_distance.h"
#include "base/networks.h"
#include "models/config.h"
#include "server/bounds.h"

namespace resnetd::server {
namespace {

// Digits, as a person counts. CLI11 would take 0x10 and 1_000 too, and 010 for eight.
bool IsDecimal(absl::string_view text) {
  absl::ConsumePrefix(&text, "-");
  const bool digits = !text.empty() && absl::c_all_of(text, [](unsigned char c) { return absl::ascii_isdigit(c); });
  return digits && (text.size() == 1 || text[0] != '0');
}

// Checks the text of a value.
auto Within(const Bounds& bounds) {
  return [bounds](const std::string& text) {
    int64_t number = 0;
    if (IsDecimal(text) && absl::SimpleAtoi(text, &number) && bounds.Hold(number)) return std::string();
    return "expected " + bounds.InWords() + ", got " + Echo(text);
  };
}

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
  void AddWithin(const Bounds& bounds, T& value, const char* help) {
    Add(bounds.option, value, help)->check(Within(bounds));
  }

  void AddFlag(const std::string& name, bool& value, const char* help) {
    app_.add_flag(name, value, help)->envname(VariableOf(name))->group(group_);
  }

  // In `Unit`, which the option's name or its help says.
  template <typename Unit, typename D>
  void AddTime(const Bounds& bounds, D& duration, const char* help) {
    const auto set = [&duration](const int64_t& count) { duration = Unit(count); };
    const int64_t now = std::chrono::duration_cast<Unit>(duration).count();
    app_.add_option_function<int64_t>(bounds.option, set, help)
        ->envname(VariableOf(bounds.option))
        ->default_str(std::to_string(now))
        ->check(Within(bounds))
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

auto AddressOf(const char* option, absl::Status (*check)(absl::string_view, absl::string_view)) {
  return [option, check](const std::string& address) {
    const absl::Status status = check(option, address);
    // CLI11 puts the option in front.
    return std::string(absl::StripPrefix(status.message(), absl::StrCat(option, ": ")));
  };
}

auto NetworkOf(const char* option) {
  return [option](const std::string& network) {
    const absl::Status status = Networks::Parse(option, {network}).status();
    return std::string(absl::StripPrefix(status.message(), absl::StrCat(option, ": ")));
  };
}

void AddModelOptions(Table& table, ServerOptions& o) {
  table.Group("Models");
  CLI::Option* file = table.Add("--model", o.model_file, "Serve this ONNX file")->check(CheckPath);
  table.Add("--models", o.models_folder, "Serve <name>/<version>/model.onnx of this folder, or its model.onnx")
      ->check(CheckPath)
      ->excludes(file);
  table.Add("--model-root", o.model_root, "Folder below which the models' files must lie, whatever their links")
      ->check(CheckPath);
  table.AddFlag("--keep-going", o.keep_going, "Serve the other models when one cannot be loaded");
  table.Add("--recipe", o.recipe, "Preprocessing preset of --model, in place of its config's")->needs(file);
  table.Add("--input-size", o.input_size, "HEIGHTxWIDTH of --model's images, where its file leaves them free: 224x224")
      ->check([](const std::string& text) {
        const absl::Status status = ParseInputSize(text, "--input-size").status();
        return std::string(absl::StripPrefix(status.message(), "--input-size: "));  // CLI11 puts it in front
      })
      ->needs(file);
  table.Add("--labels", o.labels_file, "Labels of --model, one a line, in place of labels.txt beside it")
      ->check(CheckPath)
      ->needs(file);
  table.Add(bounds::kBatchSizes.option, o.batch_sizes, "Batch sizes to compile, ascending")
      ->delimiter(',')
      ->default_str("1,2,4,8")
      ->check(Within(bounds::kBatchSizes));
}

void AddListeningOptions(Table& table, ServerOptions& o) {
  table.Group("Listening");
  table.Add("--address", o.edge.address, "Address of the gRPC port; 0.0.0.0: all interfaces; or unix:PATH")
      ->check(AddressOf("--address", CheckAddressOrSocketFile));
  table.AddWithin(bounds::kPort, o.edge.port, "gRPC port; 0: any free one, named in the log");
  table.Add("--metrics-address", o.metrics_address, "Address of /metrics, /livez and /readyz")
      ->check(AddressOf("--metrics-address", CheckAddress));
  table.AddWithin(bounds::kMetricsPort, o.metrics_port, "Their port; 0: any free one");
  table.Group("Limits");
  table.AddWithin(bounds::kMaxConnections, o.max_connections,
                  "Connections to both ports at once; 0: half of the limit of open files, less a reserve");
  table.AddTime<std::chrono::seconds>(
      bounds::kMaxConnectionAge, o.edge.max_connection_age,
      "Seconds, a tenth more or less, until a client is asked to connect anew; 0: never");
  table.AddWithin(bounds::kMaxCallsInFlight, o.edge.max_calls_in_flight,
                  "Calls at once, and streams with a request under way");
  table.AddWithin(bounds::kMaxCallsPerConnection, o.edge.max_calls_per_connection,
                  "Calls and streams at once of one connection; 0: 16 a worker");
  table.AddWithin(bounds::kMaxBytesInFlight, o.edge.max_bytes_in_flight,
                  "Bytes of requests from reading to answer, and of answers until they are sent");
  table.AddWithin(bounds::kMaxMessageBytes, o.edge.max_message_bytes,
                  "One request message, and the embeddings of one answer");
  table.AddWithin(bounds::kMaxImagesPerRequest, o.edge.max_images_per_request, "Images of one request");
  table.AddWithin(bounds::kMaxImagePixels, o.edge.image_limits.max_pixels, "Width x height of an encoded image");
  table.AddWithin(bounds::kStreamWindow, o.edge.stream_window, "Requests read ahead of the answers of a stream");
  table.AddWithin(bounds::kMaxStreamsPerConnection, o.edge.max_streams_per_connection, "Streams open on a connection");
  table
      .Add(kTrustedProxies, o.edge.trusted_proxies,
           "Addresses and networks whose connections carry many clients' calls, and have no limits of their own")
      ->delimiter(',')
      ->default_str("")
      ->check(NetworkOf(kTrustedProxies));
  table.AddTime<std::chrono::milliseconds>(
      bounds::kMessageTimeoutMs, o.edge.message_timeout,
      "How long a request may keep its call waiting without progress; 0: for ever");
  table.AddTime<std::chrono::milliseconds>(bounds::kAnswerTimeoutMs, o.edge.answer_timeout,
                                           "How long a client may not take an answer; 0: for ever");
}

void AddSchedulingOptions(Table& table, ServerOptions& o) {
  table.Group("Scheduling");
  table.AddWithin(bounds::kWorkers, o.workers, "Batches computed side by side; 0: CPU budget / threads");
  table.AddWithin(bounds::kThreads, o.threads, "Threads of one batch");
  table.AddTime<std::chrono::milliseconds>(bounds::kMaxQueueMs, o.scheduling.max_queue_time,
                                           "Longest predicted wait; longer ones are refused");
  table.AddWithin(bounds::kMaxQueueBytes, o.scheduling.max_queue_bytes, "Bytes of images that wait");
  table.AddTime<std::chrono::milliseconds>(bounds::kDefaultDeadlineMs, o.default_deadline,
                                           "Deadline of calls that bring none; 0: none");
  table.Group("Operation");
  table.AddTime<std::chrono::milliseconds>(bounds::kLameDuckMs, o.lame_duck,
                                           "After SIGTERM: serve on while load balancers take notice");
  table.AddTime<std::chrono::milliseconds>(bounds::kDrainMs, o.drain, "Then: how long calls in flight may take");
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
    const auto is_option = [&](const std::string& a) { return a == name || a.starts_with(name + "="); };
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
      throw CLI::ValidationError(bounds::kBatchSizes.option, "expected ascending sizes");
    }
    if (!options.model_root.empty() && options.model_file.empty() && options.models_folder.empty()) {
      throw CLI::ValidationError("--model-root", "expected with --model or --models");
    }
  } catch (const CLI::ParseError& e) {
    exit_status = app.exit(e, out, err) == 0 ? 0 : 2;
    return std::nullopt;
  }
  return options;
}

namespace {

constexpr absl::string_view kPrefix = "RESNETD_";

// Beside a Service NAME with a port 8500 called grpc, in capitals and with _ for -, Kubernetes sets
//
//   NAME_SERVICE_HOST  NAME_SERVICE_PORT  NAME_SERVICE_PORT_GRPC
//   NAME_PORT=tcp://10.0.0.1:8500  NAME_PORT_8500_TCP=tcp://10.0.0.1:8500  NAME_PORT_8500_TCP_{PROTO,PORT,ADDR}
//
// NAME may be RESNETD, or RESNETD_METRICS for a Service called resnetd-metrics.
constexpr absl::string_view kProtocols[] = {"TCP", "UDP", "SCTP"};

// Whether it is NAME_PORT and its value. Any other variable with such a value is somebody's mistake.
bool IsPortOfService(absl::string_view name, absl::string_view value) {
  if (!absl::EndsWith(name, "_PORT")) return false;
  return std::any_of(std::begin(kProtocols), std::end(kProtocols), [&](absl::string_view protocol) {
    return absl::StartsWith(value, absl::StrCat(absl::AsciiStrToLower(protocol), "://"));
  });
}

// Tells whether the name is one of the variables above, whatever their values. NAME_PORT is left out: it may be an
// option's.
bool IsNameOfService(absl::string_view name) {
  if (absl::EndsWith(name, "_SERVICE_HOST") || absl::EndsWith(name, "_SERVICE_PORT")) return true;
  if (absl::StrContains(name, "_SERVICE_PORT_")) return true;
  const size_t port = name.rfind("_PORT_");
  // The last one may be that of NAME_PORT_8500_TCP_PORT, which has nothing behind it.
  if (port == absl::string_view::npos) return false;
  absl::string_view rest = name.substr(port + 6);
  const size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  if (digits == 0) return false;
  rest.remove_prefix(digits);
  return std::any_of(std::begin(kProtocols), std::end(kProtocols), [&](absl::string_view protocol) {
    for (const absl::string_view what : {"", "_PROTO", "_PORT", "_ADDR"}) {
      if (rest == absl::StrCat("_", protocol, what)) return true;
    }
    return false;
  });
}

std::string Nearest(absl::string_view name, const std::vector<std::string>& variables) {
  name = name.substr(0, 2 * kEchoBytes);  // a longer one is near to none
  return *std::min_element(variables.begin(), variables.end(), [&](const std::string& a, const std::string& b) {
    return EditDistance(name, a) < EditDistance(name, b);
  });
}

}  // namespace

std::string VariableOf(absl::string_view option) {
  std::string name(kPrefix);
  for (const char c : option.substr(2)) name += c == '-' ? '_' : absl::ascii_toupper(static_cast<unsigned char>(c));
  return name;
}

Environment ReadEnvironment(const char* const* environment, const std::vector<std::string>& options) {
  std::vector<std::string> variables;
  for (const std::string& option : options) variables.push_back(VariableOf(option));
  Environment read;
  for (; *environment != nullptr; ++environment) {
    const absl::string_view entry = *environment;
    const size_t equals = entry.find('=');
    if (!absl::StartsWith(entry, kPrefix) || equals == absl::string_view::npos || equals + 1 == entry.size()) continue;
    const std::string name(entry.substr(0, equals));
    const absl::string_view value = entry.substr(equals + 1);
    if (absl::c_linear_search(variables, name)) {
      if (!IsPortOfService(name, value)) {
        read.values[name] = std::string(value);
        continue;
      }
      read.passed_over.push_back(name);
      read.warnings.push_back(absl::StrCat(
          "the environment's ", name, "=", Echo(value),
          " is passed over: Kubernetes sets it beside a Service of that name (enableServiceLinks: false forbids it)"));
    } else if (!IsNameOfService(name) && !IsPortOfService(name, value)) {
      read.warnings.push_back(absl::StrCat("the environment's ", Echo(name),
                                           " is no option's, and is passed over; the nearest is ",
                                           Nearest(name, variables)));
    }
  }
  return read;
}

}  // namespace resnetd::server
