#ifndef RESNETD_MODELS_TEXT_MESSAGE_H_
#define RESNETD_MODELS_TEXT_MESSAGE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace resnetd {

// Parses protobuf's text format. INVALID_ARGUMENT names the file, the line and the column of the first mistake; of a
// value that an enumeration does not have it lists those that it has, whether it was written as a name or as a number.
absl::Status ParseTextMessage(const std::string& text, absl::string_view file, google::protobuf::Message& message);

}  // namespace resnetd

#endif  // RESNETD_MODELS_TEXT_MESSAGE_H_
