#include "server/observe/text_format.h"

#include <prometheus/metric_family.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace resnetd::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Numbers between are written without an exponent, as the library does: the bounds of buckets name series.
constexpr double kLeastFixed = 1e-4, kMostFixed = 1e15;

// Backslashes and ends of lines, and in labels quotation marks.
void AppendEscaped(absl::string_view text, bool is_label, std::string& out) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\' || (c == '"' && is_label)) {
      out += {'\\', c};
    } else {
      out += c;
    }
  }
}

}  // namespace

void AppendNumber(double value, std::string& out) {
  if (std::isnan(value)) return absl::StrAppend(&out, "Nan");
  if (std::isinf(value)) return absl::StrAppend(&out, value < 0 ? "-Inf" : "+Inf");
  std::array<char, 32> digits;
  char* const begin = digits.data();
  char* const end = begin + digits.size();
  const double size = std::abs(value);
  const bool is_fixed = size < kMostFixed && (size >= kLeastFixed || size == 0);
  const auto written = is_fixed && std::trunc(value) == value
                           ? std::to_chars(begin, end, static_cast<int64_t>(value))  // most are
                       : is_fixed ? std::to_chars(begin, end, value, std::chars_format::fixed)
                                  : std::to_chars(begin, end, value, std::chars_format::scientific);
  out.append(begin, written.ptr);
}

void AppendLabel(absl::string_view name, absl::string_view value, std::string& labels) {
  absl::StrAppend(&labels, labels.empty() ? "" : ",", name, "=\"");
  AppendEscaped(value, true, labels);
  labels += '"';
}

void AppendHeading(absl::string_view name, absl::string_view help, absl::string_view type, std::string& page) {
  if (!help.empty()) {
    absl::StrAppend(&page, "# HELP ", name, " ");
    AppendEscaped(help, false, page);
    page += '\n';
  }
  absl::StrAppend(&page, "# TYPE ", name, " ", type, "\n");
}

void AppendText(const std::vector<MetricFamily>& families, std::string& page) {
  std::string labels;
  for (const MetricFamily& family : families) {
    const bool is_counter = family.type == MetricType::Counter;
    AppendHeading(family.name, family.help, is_counter ? "counter" : "gauge", page);
    for (const ClientMetric& metric : family.metric) {
      labels.clear();
      for (const ClientMetric::Label& label : metric.label) AppendLabel(label.name, label.value, labels);
      page += family.name;
      if (!labels.empty()) absl::StrAppend(&page, "{", labels, "}");
      page += ' ';
      AppendNumber(is_counter ? metric.counter.value : metric.gauge.value, page);
      page += '\n';
    }
  }
}

}  // namespace resnetd::server
