#ifndef RESNETD_CLI_COMMAND_H_
#define RESNETD_CLI_COMMAND_H_

#include <functional>
#include <ostream>
#include <string>

namespace CLI {
class App;
}

// The context that every command of resnetctl is given, and the answer that it owes.
namespace resnetd::cli {

enum ExitCode : int {
  kOk = 0,
  kFailed = 1,  // the server, an image or a model is not as hoped
  kUsage = 2,   // the command line is wrong; nothing was sent
};

struct Context {
  std::string server = "127.0.0.1:8500";  // as gRPC takes it: see cli/server_address.h
  double timeout_seconds = 30;            // of one call
  bool json = false;
  std::ostream* out = nullptr;  // results
  std::ostream* err = nullptr;  // errors and progress
  bool err_is_terminal = false;
};

// Runs a command whose options have been parsed.
using Command = std::function<int(const Context&)>;

// Each declares its options on `app` and returns what runs with them.
Command AddClassify(CLI::App& app);
Command AddEmbed(CLI::App& app);
Command AddModels(CLI::App& app);
Command AddHealth(CLI::App& app);
Command AddBench(CLI::App& app);
Command AddInspect(CLI::App& app);
Command AddCheck(CLI::App& app);
Command AddPreprocess(CLI::App& app);
Command AddEvaluate(CLI::App& app);
Command AddProject(CLI::App& app);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_COMMAND_H_
