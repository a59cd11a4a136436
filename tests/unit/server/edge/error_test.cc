#include "server/edge/error.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/edge/gate.h"

namespace resnetd::server {
namespace {

TEST(EdgeErrorTest, FieldErrorCarriesFieldAndReason) {
  google::rpc::Status proto;
  ToProto(FieldError("images[3].tensor.shape", "expected [28, 28, 1], got [1]"), proto);
  EXPECT_EQ(proto.code(), 3);
  EXPECT_EQ(proto.message(), "images[3].tensor.shape: expected [28, 28, 1], got [1]");
  ASSERT_EQ(proto.details_size(), 2);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(proto.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "INVALID_FIELD");
  EXPECT_EQ(info.domain(), "resnetd");
  google::rpc::BadRequest bad;
  ASSERT_TRUE(proto.details(1).UnpackTo(&bad));
  ASSERT_EQ(bad.field_violations_size(), 1);
  EXPECT_EQ(bad.field_violations(0).field(), "images[3].tensor.shape");
  EXPECT_EQ(bad.field_violations(0).description(), "expected [28, 28, 1], got [1]");
}

TEST(EdgeErrorTest, MetadataTravels) {
  google::rpc::Status proto;
  ToProto(Error(absl::StatusCode::kNotFound, reason::kModelNotFound, "no", {{"model", "x"}}), proto);
  EXPECT_EQ(proto.code(), 5);
  google::rpc::ErrorInfo info;
  ASSERT_EQ(proto.details_size(), 1);
  ASSERT_TRUE(proto.details(0).UnpackTo(&info));
  EXPECT_EQ(info.metadata().at("model"), "x");
}

TEST(EdgeErrorTest, RefusalsNameTheirReasonTheirLimitAndWhenToRetry) {
  const absl::Status refused =
      Refused(Rejection::kQueueTime, "full", RefusedBy{"limit_ms", 1000}, std::chrono::milliseconds(1500));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  const auto retry_after = RetryAfter(refused);
  ASSERT_TRUE(retry_after.has_value());
  EXPECT_GE(*retry_after, std::chrono::milliseconds(1500));
  EXPECT_LT(*retry_after, std::chrono::milliseconds(3000));
  google::rpc::Status proto;
  ToProto(refused, proto);
  ASSERT_EQ(proto.details_size(), 2);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(proto.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "QUEUE_TIME");
  EXPECT_EQ(info.metadata().at("limit_ms"), "1000");
  EXPECT_EQ(info.metadata().at("predicted_wait_ms"), "1500");
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(proto.details(1).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds() * 1000 + retry.retry_delay().nanos() / 1'000'000, retry_after->count());
}

TEST(EdgeErrorTest, RefusalsForGoodNameTheirLimitAndNoTime) {
  const absl::Status refused = Refused(Rejection::kMessageSize, "large", RefusedBy{"limit_bytes", 7});
  EXPECT_EQ(RetryAfter(refused), std::nullopt);
  google::rpc::Status proto;
  ToProto(refused, proto);
  ASSERT_EQ(proto.details_size(), 1);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(proto.details(0).UnpackTo(&info));
  EXPECT_EQ(info.metadata().at("limit_bytes"), "7");
  EXPECT_FALSE(info.metadata().contains("predicted_wait_ms"));
}

TEST(EdgeErrorTest, ThoseRefusedTogetherComeBackOneAfterTheOther) {
  using std::chrono::milliseconds;
  EXPECT_EQ(Spread(milliseconds(100), 0), milliseconds(100));
  EXPECT_EQ(Spread(milliseconds(100), 0.25), milliseconds(125));
  EXPECT_EQ(Spread(milliseconds(100), 0.9999), milliseconds(199));
  EXPECT_EQ(Spread(milliseconds(1), 0.9999), milliseconds(1)) << "which means at once";
  std::set<milliseconds> times;
  for (int i = 0; i < 100; ++i)
    times.insert(*RetryAfter(Refused(Rejection::kQueueTime, "", {}, milliseconds(100'000))));
  EXPECT_GT(times.size(), 50u);
  EXPECT_GE(*times.begin(), milliseconds(100'000));
  EXPECT_LT(*times.rbegin(), milliseconds(200'000));
}

TEST(EdgeErrorTest, DrainingIsUnavailableAndSaysNotWhen) {
  const absl::Status refused = Refused(Rejection::kDraining, "bye");
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(RetryAfter(refused), std::nullopt);
}

}  // namespace
}  // namespace resnetd::server
