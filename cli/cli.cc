// The table of commands, the options they share, and the way from a command line to an exit status.
#include "cli/cli.h"

#include <cstdlib>
#include <memory>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/algorithm/container.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "cli/command.h"
#include "cli/server_address.h"
#include "cli/suggestion.h"

namespace resnetd::cli {
namespace {

constexpr char kServerVariable[] = "RESNETCTL_SERVER";

struct Entry {
  const char* name;
  const char* summary;
  Command (*add)(CLI::App&);
  bool calls;  // a server
};

constexpr Entry kCommands[] = {
    {"classify", "The most probable classes of images", AddClassify, true},
    {"embed", "The feature vectors of images", AddEmbed, true},
    {"models", "What the server serves", AddModels, true},
    {"health", "Whether the server serves; the exit status says it", AddHealth, true},
    {"bench", "Load the server and measure its answers", AddBench, true},
    {"evaluate", "How often a model is right about images whose classes are known", AddEvaluate, true},
    {"inspect", "What the engine makes of a model, and what each layer costs; needs no server", AddInspect, false},
    {"check", "Whether a server would serve a model; needs no server", AddCheck, false},
    {"preprocess", "What a recipe makes of an image, as a picture and a tensor; needs no server", AddPreprocess, false},
    {"project", "A copy of a model with principal components of its embeddings; needs no server", AddProject, false},
};

// In place of CLI11's own text for words that it does not know, which has no nearest name.
std::string FailureMessage(const CLI::App& app, const CLI::Error& error, const std::vector<std::string>& args) {
  const std::string unknown = AboutUnknownWord(app);
  if (!unknown.empty()) return absl::StrCat(unknown, "\nRun with --help for more information.\n");
  return EchoArguments(CLI::FailureMessage::simple(&app, error), args);
}

// Puts the target that gRPC takes in place of what was written. Returns what is wrong with that, behind `origin`.
std::string TakeServer(absl::string_view origin, const std::string& text, std::string& server) {
  const absl::StatusOr<std::string> target = ParseServer(text);
  if (!target.ok()) return absl::StrCat(origin, target.status().message());
  server = *target;
  return "";
}

}  // namespace

int Run(const std::vector<std::string>& args, std::ostream& out, std::ostream& err, bool err_is_terminal) {
  Context context;
  context.out = &out;
  context.err = &err;
  context.err_is_terminal = err_is_terminal;

  CLI::App app{"Calls a resnetd server, and looks at models.", "resnetctl"};
  app.failure_message(
      [&args](const CLI::App* failed, const CLI::Error& error) { return FailureMessage(*failed, error, args); });
  app.set_version_flag("--version", "resnetctl " RESNETD_VERSION);
  app.require_subcommand(1);
  app.fallthrough();  // the shared options may stand behind the command too
  std::string server_text;
  app.add_option("--server", server_text,
                 "host:port of the server, or unix:PATH; RESNETCTL_SERVER names another default")
      ->default_str(context.server)
      ->check([&context](const std::string& text) { return TakeServer("", text, context.server); });
  app.add_option("--timeout", context.timeout_seconds, "Seconds one call may take")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 86400.0));
  app.add_flag("--json", context.json, "Print JSON");

  struct Added {
    const Entry& entry;
    CLI::App* app;
    Command run;
  };
  std::vector<Added> commands;
  for (const Entry& entry : kCommands) {
    CLI::App* command = app.add_subcommand(entry.name, entry.summary);
    commands.push_back({entry, command, entry.add(*command)});
  }

  std::vector<std::string> reversed(args.rbegin(), args.rend());  // as CLI11 takes a vector
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& e) {
    return app.exit(e, out, err) == 0 ? kOk : kUsage;
  }
  const auto command = absl::c_find_if(commands, [](const Added& added) { return added.app->parsed(); });
  if (command == commands.end()) return kUsage;
  const char* const variable = std::getenv(kServerVariable);
  if (command->entry.calls && server_text.empty() && variable != nullptr && *variable != '\0') {
    const std::string wrong = TakeServer(absl::StrCat(kServerVariable, ": "), variable, context.server);
    if (!wrong.empty()) {
      err << wrong << '\n';
      return kUsage;
    }
  }
  return command->run(context);
}

}  // namespace resnetd::cli
