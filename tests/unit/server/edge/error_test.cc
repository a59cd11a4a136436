#include "server/edge/error.h"

#include <gtest/gtest.h>

#include <chrono>

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

TEST(EdgeErrorTest, RefusalsNameTheirReasonAndWhenToRetry) {
  const absl::Status refused = Refused(Rejection::kQueueTime, "full", std::chrono::milliseconds(1500));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryAfter(refused), std::chrono::milliseconds(1500));
  google::rpc::Status proto;
  ToProto(refused, proto);
  ASSERT_EQ(proto.details_size(), 1) << "the time to wait is a trailer, no detail";
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(proto.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "QUEUE_TIME");
}

TEST(EdgeErrorTest, DrainingIsUnavailableAndSaysNotWhen) {
  const absl::Status refused = Refused(Rejection::kDraining, "bye");
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(RetryAfter(refused), std::nullopt);
}

}  // namespace
}  // namespace resnetd::server
