// Beside a Service NAME with a port 8500 called grpc, in capitals and with _ for -, Kubernetes sets
//
//   NAME_SERVICE_HOST  NAME_SERVICE_PORT  NAME_SERVICE_PORT_GRPC
//   NAME_PORT=tcp://10.0.0.1:8500  NAME_PORT_8500_TCP=tcp://10.0.0.1:8500  NAME_PORT_8500_TCP_{PROTO,PORT,ADDR}
//
// NAME may be RESNETD, or RESNETD_METRICS for a Service called resnetd-metrics.
#include "server/environment.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"

namespace resnetd::server {
namespace {

constexpr absl::string_view kPrefix = "RESNETD_";
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

// Counts how many letters must be changed, added or taken away (Levenshtein's distance).
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

std::string Nearest(absl::string_view name, const std::vector<std::string>& variables) {
  name = name.substr(0, 2 * kEchoBytes);  // a longer one is near to none
  return *std::min_element(variables.begin(), variables.end(), [&](const std::string& a, const std::string& b) {
    return Distance(name, a) < Distance(name, b);
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
