#ifndef RESNETD_CLI_CLI_H_
#define RESNETD_CLI_CLI_H_

#include <ostream>
#include <string>
#include <vector>

namespace resnetd::cli {

// resnetctl: parses `args` (without the program's name), runs the command, returns its exit status: 0 all well, 1 the
// server or an image failed, 2 wrong usage. Results go to `out`, errors and progress to `err`.
int Run(const std::vector<std::string>& args, std::ostream& out, std::ostream& err, bool err_is_terminal);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_CLI_H_
