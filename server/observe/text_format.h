#ifndef RESNETD_SERVER_OBSERVE_TEXT_FORMAT_H_
#define RESNETD_SERVER_OBSERVE_TEXT_FORMAT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace prometheus {
struct MetricFamily;
}  // namespace prometheus

// Prometheus' text format, as prometheus::TextSerializer writes it, at a small part of its cost.
namespace resnetd::server {

// Appends families of counters and gauges.
void AppendText(const std::vector<prometheus::MetricFamily>& families, std::string& page);

// Appends the shortest text that reads as the same number.
void AppendNumber(double value, std::string& out);
// Appends name="value", after a comma if it is not the first.
void AppendLabel(absl::string_view name, absl::string_view value, std::string& labels);
// Appends the lines HELP and TYPE of a family.
void AppendHeading(absl::string_view name, absl::string_view help, absl::string_view type, std::string& page);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_OBSERVE_TEXT_FORMAT_H_
