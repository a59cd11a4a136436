// resnetctl health.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/cli_fake_server.h"

namespace resnetd::cli {
namespace {

using ::testing::HasSubstr;

TEST_F(CommandsTest, HealthIsZeroOnlyIfServing) {
  EXPECT_EQ(Ctl({"health"}), 0);
  EXPECT_EQ(out(), "SERVING\n");
  EXPECT_EQ(Ctl({"health", "--service", "small"}), 0);
  EXPECT_EQ(out(), "small: SERVING\n");
  EXPECT_EQ(Ctl({"health", "--service", "other"}), 1);
  EXPECT_THAT(err(), HasSubstr("NOT_FOUND: unknown"));
  health_.serving_from_check_ = 1 << 30;
  EXPECT_EQ(Ctl({"health"}), 1);
  EXPECT_EQ(out(), "NOT_SERVING\n");
  EXPECT_EQ(Ctl({"health", "--json"}), 1);
  EXPECT_EQ(Json()["status"], "NOT_SERVING");
}

TEST_F(CommandsTest, HealthWaits) {
  health_.serving_from_check_ = 3;
  EXPECT_EQ(Ctl({"health", "--wait", "60"}), 0);
  EXPECT_EQ(health_.checks_, 3);
  health_.serving_from_check_ = 1 << 30;
  EXPECT_EQ(Ctl({"health", "--wait", "0.3"}), 1);
  EXPECT_GT(health_.checks_, 3);
}

TEST_F(CommandsTest, HealthWatchPrintsEveryChange) {
  EXPECT_EQ(Ctl({"health", "--watch"}), 0);
  EXPECT_EQ(out(), "SERVING\nNOT_SERVING\nSERVING\n");
  health_.watch_end_ = grpc::Status(grpc::StatusCode::UNAVAILABLE, "going");
  EXPECT_EQ(Ctl({"health", "--watch"}), 1);
  EXPECT_THAT(err(), HasSubstr("UNAVAILABLE: going"));
}

}  // namespace
}  // namespace resnetd::cli
