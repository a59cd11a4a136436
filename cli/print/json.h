#ifndef RESNETD_CLI_PRINT_JSON_H_
#define RESNETD_CLI_PRINT_JSON_H_

#include <string>

#include "nlohmann/json.hpp"

namespace resnetd::cli {

// The text of a JSON value: over several lines, or with `indent` -1 on one. Names of files and of what is in a model
// may be any bytes: what is no UTF-8 is replaced.
inline std::string Dump(const nlohmann::ordered_json& json, int indent = 2) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_PRINT_JSON_H_
