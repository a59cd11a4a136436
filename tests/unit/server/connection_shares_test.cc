#include "server/connection_shares.h"

#include <gtest/gtest.h>

#include <string>

namespace resnetd::server {
namespace {

TEST(ConnectionSharesTest, WhatDescriptorsAllow) {
  const struct {
    int asked;
    uint64_t descriptors;
    int grpc, http;
  } cases[] = {
      {0, 1024, 420, 60},  // (1024 - 64) / 2 = 480
      {0, 128, 28, 4},     // 32
      {0, 68, 1, 1},       // the least
      {0, 1'000'000, 499'904, 64},
      {0, UINT64_MAX, 999'936, 64},
      {2, 1024, 1, 1},
      {480, 1024, 420, 60},
      {100, UINT64_MAX, 88, 12},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::to_string(c.asked) + " of " + std::to_string(c.descriptors));
    const absl::StatusOr<ConnectionShares> shares = ShareConnections(c.asked, c.descriptors);
    ASSERT_TRUE(shares.ok()) << shares.status();
    EXPECT_EQ(shares->grpc, c.grpc);
    EXPECT_EQ(shares->http, c.http);
  }
}

TEST(ConnectionSharesTest, WhatTheyDoNot) {
  EXPECT_EQ(ShareConnections(481, 1024).status().message(),
            "--max-connections: expected 0, or 2 to 480 where 'ulimit -n' allows 1024 open files, got 481");
  EXPECT_EQ(ShareConnections(1, 1024).status().message(),
            "--max-connections: expected 0, or 2 to 480 where 'ulimit -n' allows 1024 open files, got 1");
  for (const uint64_t few : {67, 64, 3, 0}) {
    EXPECT_EQ(ShareConnections(0, few).status().message(),
              "ulimit -n: expected at least 68 open files, got " + std::to_string(few));
  }
}

}  // namespace
}  // namespace resnetd::server
