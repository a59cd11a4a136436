#include "server/edge/rejection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace resnetd::server {
namespace {

// The page's lines about refusals.
std::vector<std::string> Lines(Metrics& metrics) {
  std::vector<std::string> lines = absl::StrSplit(metrics.Scrape(), '\n');
  std::erase_if(lines, [](const std::string& line) { return !absl::StartsWith(line, "resnetd_rejections_total{"); });
  return lines;
}

TEST(RejectionTest, Names) {
  std::vector<std::string> names;
  for (const Rejection reason : EnumValues<Rejection>()) names.emplace_back(RejectionName(reason));
  EXPECT_THAT(
      names, testing::UnorderedElementsAre("bytes_in_flight", "calls_in_flight", "deadline", "draining", "message_size",
                                           "queue_bytes", "queue_time", "request_size", "unauthenticated"));
}

TEST(RejectionTest, EachIsCountedUnderItsNameAndThereFromTheStart) {
  Metrics metrics;
  const RejectionCounters counters(metrics);
  EXPECT_EQ(Lines(metrics).size(), EnumValues<Rejection>().size());
  for (const Rejection reason : EnumValues<Rejection>()) {
    const std::string series = absl::StrCat("resnetd_rejections_total{reason=\"", RejectionName(reason), "\"} ");
    EXPECT_THAT(Lines(metrics), testing::Contains(series + "0"));
    counters.Count(reason);
    EXPECT_THAT(Lines(metrics), testing::Contains(series + "1"));
  }
}

}  // namespace
}  // namespace resnetd::server
