#include "cli/suggestion.h"

#include <algorithm>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/edit_distance.h"

namespace resnetd::cli {
namespace {

// Longer words are nobody's slip of the finger.
constexpr size_t kMostLetters = 40;
// One letter in so many may differ, and one in any case.
constexpr size_t kLettersAnError = 3;

std::string DidYouMean(absl::string_view typed, const std::vector<std::string>& names) {
  const std::string nearest = NearestName(typed, names);
  return nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?");
}

std::vector<std::string> OptionsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back(absl::StrCat("--", name));
  }
  return names;
}

std::vector<std::string> CommandsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

}  // namespace

std::string NearestName(absl::string_view typed, const std::vector<std::string>& names) {
  if (typed.size() > kMostLetters) return "";
  std::string nearest;
  size_t least = std::max<size_t>(typed.size() / kLettersAnError, 1) + 1;
  for (const std::string& name : names) {
    const bool begun = typed.size() > 3 && absl::StartsWith(name, typed);
    const size_t distance = begun ? 1 : EditDistance(typed, name);
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  return nearest;
}

std::string AboutUnknownWord(const CLI::App& app) {
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  const CLI::App* const command = parsed.empty() ? nullptr : parsed.front();
  for (const std::string& word : app.remaining(true)) {
    if (absl::StartsWith(word, "-")) {
      const std::string option = word.substr(0, word.find('='));
      std::vector<std::string> names = OptionsOf(app);
      if (command != nullptr) {
        const std::vector<std::string> own = OptionsOf(*command);
        names.insert(names.begin(), own.begin(), own.end());
      }
      return absl::StrCat("no option ", Echo(option), command == nullptr ? "" : " of " + command->get_name(),
                          DidYouMean(option, names));
    }
    if (command == nullptr) return absl::StrCat("no command ", Quoted(word), DidYouMean(word, CommandsOf(app)));
  }
  return "";
}

}  // namespace resnetd::cli
