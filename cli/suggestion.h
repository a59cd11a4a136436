#ifndef RESNETD_CLI_SUGGESTION_H_
#define RESNETD_CLI_SUGGESTION_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace CLI {
class App;
}

namespace resnetd::cli {

// The one of `names` that `typed` was most likely meant for: it starts with it, or few letters differ. Empty: none.
std::string NearestName(absl::string_view typed, const std::vector<std::string>& names);

// A sentence about the first word of a command line that `app`, after parsing, has found to be no command or no option:
// "no option --topk of classify; did you mean --top-k?" Empty where all words were understood.
std::string AboutUnknownWord(const CLI::App& app);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_SUGGESTION_H_
