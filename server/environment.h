#ifndef RESNETD_SERVER_ENVIRONMENT_H_
#define RESNETD_SERVER_ENVIRONMENT_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace resnetd::server {

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

#endif  // RESNETD_SERVER_ENVIRONMENT_H_
