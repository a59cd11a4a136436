// The table of commands, the options they share, and the way from a command line to an exit status.
#include "cli/cli.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "cli/command.h"

namespace resnetd::cli {
namespace {

struct Entry {
  const char* name;
  const char* summary;
  Command (*add)(CLI::App&);
};

constexpr Entry kCommands[] = {
    {"classify", "The most probable classes of images", AddClassify},
    {"embed", "The feature vectors of images", AddEmbed},
    {"models", "What the server serves", AddModels},
    {"health", "Whether the server serves; the exit status says it", AddHealth},
    {"bench", "Load the server and measure its answers", AddBench},
    {"evaluate", "How often a model is right about images whose classes are known", AddEvaluate},
    {"inspect", "What the engine makes of a model, and what each layer costs; needs no server", AddInspect},
    {"check", "Whether a server would serve a model; needs no server", AddCheck},
    {"preprocess", "What a recipe makes of an image, as a picture and a tensor; needs no server", AddPreprocess},
    {"project", "A copy of a model with principal components of its embeddings; needs no server", AddProject},
};

// gRPC's errors repeat it: what has no spaces is cut there.
std::string CheckServer(const std::string& server) {
  const bool plain = absl::c_all_of(server, [](unsigned char c) { return absl::ascii_isgraph(c); });
  return plain && !server.empty() ? "" : absl::StrCat("expected host:port, got ", Quoted(server));
}

}  // namespace

int Run(const std::vector<std::string>& args, std::ostream& out, std::ostream& err, bool err_is_terminal) {
  Context context;
  context.out = &out;
  context.err = &err;
  context.err_is_terminal = err_is_terminal;

  CLI::App app{"Calls a resnetd server, and looks at models.", "resnetctl"};
  app.failure_message([&args](const CLI::App* failed, const CLI::Error& error) {
    return EchoArguments(CLI::FailureMessage::simple(failed, error), args);
  });
  app.require_subcommand(1);
  app.fallthrough();  // the shared options may stand behind the command too
  app.add_option("--server", context.server, "host:port of the server, or unix:PATH")
      ->capture_default_str()
      ->check(CheckServer);
  app.add_option("--timeout", context.timeout_seconds, "Seconds one call may take")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 86400.0));
  app.add_flag("--json", context.json, "Print JSON");

  std::vector<std::pair<CLI::App*, Command>> commands;
  for (const Entry& entry : kCommands) {
    CLI::App* command = app.add_subcommand(entry.name, entry.summary);
    commands.emplace_back(command, entry.add(*command));
  }

  std::vector<std::string> reversed(args.rbegin(), args.rend());  // as CLI11 takes a vector
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& e) {
    return app.exit(e, out, err) == 0 ? kOk : kUsage;
  }
  for (const auto& [command, run] : commands) {
    if (command->parsed()) return run(context);
  }
  return kUsage;
}

}  // namespace resnetd::cli
