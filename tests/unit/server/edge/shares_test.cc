#include "server/edge/shares.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace resnetd::server {
namespace {

TEST(SharesTest, ProxiesAreKnownByTheirAddresses) {
  const Networks proxies = *Networks::Parse("--trusted-proxies", {"10.0.0.0/8", "fd00::/8"});
  for (const char* peer : {"ipv4:10.1.2.3:40000", "ipv6:[fd00::1]:40000", "ipv6:%5Bfd00::1%5D:40000",
                           "unix:", "unix:/run/resnetd.sock", "unix-abstract:x", "ipv6:[::ffff:10.0.0.1]:1"}) {
    EXPECT_TRUE(IsProxy(peer, proxies)) << peer;
  }
  for (const char* peer : {"ipv4:11.1.2.3:40000", "ipv6:[fe00::1]:40000", "", "10.1.2.3", "10.1.2.3:4000",
                           "ipv4:", "ipv4::", "ipv6:[]:1", "ipv4:unix:1"}) {
    EXPECT_FALSE(IsProxy(peer, proxies)) << peer;
  }
  EXPECT_FALSE(IsProxy("ipv4:10.1.2.3:40000", Networks()));
  EXPECT_TRUE(IsProxy("unix:", Networks()));
}

TEST(SharesTest, CallsOfAConnectionShareItsLoad) {
  int asked = 0;
  Shares shares([&](absl::string_view peer) {
    ++asked;
    return peer == "unix:";
  });
  const auto one = shares.Of("ipv4:127.0.0.1:1");
  EXPECT_EQ(shares.Of("ipv4:127.0.0.1:1"), one);
  const auto another = shares.Of("ipv4:127.0.0.1:2"), proxy = shares.Of("unix:");
  EXPECT_NE(another, one);
  EXPECT_FALSE(one->trusted);
  EXPECT_TRUE(proxy->trusted);
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(shares.connections(), 3u);
}

TEST(SharesTest, ALoadGoesWithItsLastCall) {
  std::shared_ptr<ConnectionLoad> longest;
  {
    Shares shares([](absl::string_view) { return false; });
    auto one = shares.Of("a");
    auto same = shares.Of("a");
    one->health = 5;
    one.reset();
    EXPECT_EQ(shares.Of("a")->health, 5);
    same.reset();
    EXPECT_EQ(shares.connections(), 0u);
    EXPECT_EQ(shares.Of("a")->health, 0);
    longest = shares.Of("a");
  }
  EXPECT_EQ(longest->peer, "a");
}

TEST(SharesTest, ManyThreadsComeAndGo) {
  Shares shares([](absl::string_view) { return false; });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&shares, t] {
      for (int i = 0; i < 20'000; ++i) {
        const auto load = shares.Of(i % 3 == 0 ? "shared" : std::to_string(t));
        load->health.fetch_add(1);
        EXPECT_GE(load->health, 1);
        load->health.fetch_sub(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shares.connections(), 0u);
}

}  // namespace
}  // namespace resnetd::server
