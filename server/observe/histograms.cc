#include "server/observe/histograms.h"

#include <prometheus/client_metric.h>

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/observe/text_format.h"

namespace resnetd::server {
namespace {

void AppendLine(const std::string& series, double value, std::string& page) {
  page += series;
  page += ' ';
  AppendNumber(value, page);
  page += '\n';
}

}  // namespace

HistogramFamily::HistogramFamily(std::string name, std::string help) : name_(std::move(name)), help_(std::move(help)) {}

prometheus::Histogram& HistogramFamily::Add(const prometheus::Labels& labels, const std::vector<double>& bounds) {
  MutexLock lock(&mu_);
  for (Child& child : children_) {
    if (child.labels == labels) return child.histogram;
  }
  std::string text;
  for (const auto& [name, value] : labels) AppendLabel(name, value, text);
  const std::string braced = text.empty() ? "" : absl::StrCat("{", text, "}");
  std::vector<std::string> buckets;
  const auto add_bucket = [&](double bound) {
    std::string number, with_bound = text;
    AppendNumber(bound, number);
    AppendLabel("le", number, with_bound);
    buckets.push_back(absl::StrCat(name_, "_bucket{", with_bound, "}"));
  };
  for (const double bound : bounds) add_bucket(bound);
  add_bucket(HUGE_VAL);
  return children_
      .emplace_back(labels, bounds, absl::StrCat(name_, "_count", braced), absl::StrCat(name_, "_sum", braced),
                    std::move(buckets))
      .histogram;
}

void HistogramFamily::AppendText(std::string& page) const {
  MutexLock lock(&mu_);
  if (children_.empty()) return;
  AppendHeading(name_, help_, "histogram", page);
  for (const Child& child : children_) {
    const prometheus::ClientMetric::Histogram counts = child.histogram.Collect().histogram;
    AppendLine(child.count, static_cast<double>(counts.sample_count), page);
    AppendLine(child.sum, counts.sample_sum, page);
    for (size_t i = 0; i < child.buckets.size(); ++i) {
      AppendLine(child.buckets[i], static_cast<double>(counts.bucket[i].cumulative_count), page);
    }
  }
}

}  // namespace resnetd::server
