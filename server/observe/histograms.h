#ifndef RESNETD_SERVER_OBSERVE_HISTOGRAMS_H_
#define RESNETD_SERVER_OBSERVE_HISTOGRAMS_H_

#include <prometheus/histogram.h>
#include <prometheus/labels.h>

#include <list>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace resnetd::server {

// A family of histograms that writes its own part of the page. Nine in ten lines of a page are histograms' buckets,
// whose text is the same at every scrape but for the count: it is made once. Thread-safe.
class HistogramFamily {
 public:
  HistogramFamily(std::string name, std::string help);

  // The histogram with these labels, which lives as long as the family; the same for the same labels.
  prometheus::Histogram& Add(const prometheus::Labels& labels, const std::vector<double>& bounds);

  // Appends all of it in Prometheus' text format, as prometheus::TextSerializer would.
  void AppendText(std::string& page) const;

 private:
  struct Child {
    prometheus::Labels labels;
    prometheus::Histogram histogram;
    std::string count, sum;            // name_count{labels}
    std::vector<std::string> buckets;  // name_bucket{labels,le="0.1"}, the last of +Inf
  };

  const std::string name_, help_;
  mutable Mutex mu_;
  std::list<Child> children_ ABSL_GUARDED_BY(mu_);
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_OBSERVE_HISTOGRAMS_H_
