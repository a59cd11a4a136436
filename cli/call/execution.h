#ifndef RESNETD_CLI_CALL_EXECUTION_H_
#define RESNETD_CLI_CALL_EXECUTION_H_

#include "nlohmann/json.hpp"
#include "resnetd/v1/inference.pb.h"

namespace resnetd::cli {

// Prints how the server served an image, with the protocol's own field names.
inline nlohmann::ordered_json ToJson(const v1::Execution& e) {
  return {{"queue_seconds", e.queue_seconds()}, {"decode_seconds", e.decode_seconds()},
          {"infer_seconds", e.infer_seconds()}, {"total_seconds", e.total_seconds()},
          {"batch_id", e.batch_id()},           {"batch_size", e.batch_size()}};
}

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_CALL_EXECUTION_H_
