// The page against the one that prometheus-cpp would write.
#include "server/observe/text_format.h"

#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "server/observe/histograms.h"

namespace resnetd::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

std::string ByTheLibrary(const std::vector<MetricFamily>& families) {
  return prometheus::TextSerializer().Serialize(families);
}

std::string OurText(const std::vector<MetricFamily>& families) {
  std::string page;
  AppendText(families, page);
  return page;
}

TEST(TextFormat, IsTheLibrarys) {
  prometheus::Registry registry;
  auto& counters = prometheus::BuildCounter().Name("a_total").Help("Some \"help\"").Register(registry);
  counters.Add({}).Increment(3);
  counters.Add({{"label", "value"}, {"other", "a \"b\" \\ c\nd"}}).Increment(0.25);
  prometheus::BuildGauge().Name("without_help").Register(registry).Add({{"l", "v"}}).Set(-12345678);
  prometheus::BuildGauge().Name("empty").Help("No child").Register(registry);
  const std::vector<MetricFamily> families = registry.Collect();
  EXPECT_EQ(OurText(families), ByTheLibrary(families));
}

TEST(TextFormat, HistogramsAreTheLibrarysToo) {
  const prometheus::Histogram::BucketBoundaries bounds = {10e-6, 16e-6, 100e-6, 1e-3, 0.33, 1, 1.6, 250, 100000};
  for (const prometheus::Labels& labels : {prometheus::Labels(), prometheus::Labels{{"a", "b \"c\""}, {"d", "e"}}}) {
    prometheus::Registry registry;
    auto& twin = prometheus::BuildHistogram().Name("h_seconds").Help("Times").Register(registry).Add(labels, bounds);
    HistogramFamily ours("h_seconds", "Times");
    for (const double value : {0.0, 0.25, 0.5, 7.0, 1e6}) {
      twin.Observe(value);
      ours.Add(labels, bounds).Observe(value);
      std::string text;
      ours.AppendText(text);
      EXPECT_EQ(text, ByTheLibrary(registry.Collect()));
    }
  }
}

TEST(TextFormat, AFamilyOfSeveralHistograms) {
  HistogramFamily family("h", "");
  std::string text;
  family.AppendText(text);
  EXPECT_EQ(text, "");
  family.Add({{"n", "1"}}, {1}).Observe(0.5);
  family.Add({{"n", "2"}}, {2}).Observe(2.5);
  family.AppendText(text);
  EXPECT_EQ(text,
            "# TYPE h histogram\nh_count{n=\"1\"} 1\nh_sum{n=\"1\"} 0.5\nh_bucket{n=\"1\",le=\"1\"} 1\n"
            "h_bucket{n=\"1\",le=\"+Inf\"} 1\nh_count{n=\"2\"} 1\nh_sum{n=\"2\"} 2.5\nh_bucket{n=\"2\",le=\"2\"} 0\n"
            "h_bucket{n=\"2\",le=\"+Inf\"} 1\n");
}

TEST(TextFormat, NumbersReadAsTheyWere) {
  for (const double value : {0.0, 1.0, -1.0, 0.1, 1.0 / 3, 1e-5, 123456.789, 1e15, 1e15 + 1, 999999999999999.0, 1e22,
                             1e300, 5e-324, 1700000000.25, std::numeric_limits<double>::max()}) {
    MetricFamily family{"a", "", MetricType::Gauge, {ClientMetric()}};
    family.metric[0].gauge.value = value;
    const std::string text = OurText({family});
    double read = 0;
    ASSERT_TRUE(absl::SimpleAtod(text.substr(text.rfind(' ') + 1), &read)) << text;
    EXPECT_EQ(read, value) << text;
  }
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), HUGE_VAL, -HUGE_VAL}) {
    MetricFamily family{"a", "", MetricType::Gauge, {ClientMetric()}};
    family.metric[0].gauge.value = value;
    EXPECT_EQ(OurText({family}), ByTheLibrary({family}));
  }
}

}  // namespace
}  // namespace resnetd::server
