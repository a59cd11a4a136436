#include "base/networks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace resnetd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Case {
  const char* network;
  std::vector<const char*> inside, outside;
};

TEST(NetworksTest, BothSidesOfEach) {
  for (const Case& c : {
           Case{"10.0.0.0/8", {"10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"}, {"9.255.255.255", "11.0.0.0", "::1"}},
           Case{"192.0.2.7", {"192.0.2.7"}, {"192.0.2.6", "192.0.2.8", "::192.0.2.7"}},
           Case{"192.0.2.8/29", {"192.0.2.8", "192.0.2.15"}, {"192.0.2.7", "192.0.2.16"}},
           Case{"192.0.2.7/32", {"192.0.2.7"}, {"192.0.2.6"}},
           Case{"0.0.0.0/0", {"0.0.0.0", "255.255.255.255"}, {"::1", "fd00::1"}},
           Case{"::/0", {"::1", "10.0.0.1"}, {}},
           Case{"fd00::/8", {"fd00::1", "fdff:ffff::"}, {"fe00::", "fc00::", "10.0.0.1"}},
           Case{"2001:db8::/33", {"2001:db8:7fff::"}, {"2001:db8:8000::"}},
           Case{"::1", {"::1"}, {"::2", "127.0.0.1"}},
           Case{"::ffff:10.0.0.0/104", {"10.1.1.1"}, {"11.0.0.0"}},
       }) {
    SCOPED_TRACE(c.network);
    const auto networks = Networks::Parse("--option", {c.network});
    ASSERT_TRUE(networks.ok()) << networks.status();
    for (const char* address : c.inside) EXPECT_TRUE(networks->Contain(address)) << address;
    for (const char* address : c.outside) EXPECT_FALSE(networks->Contain(address)) << address;
    for (const char* none : {"", "localhost", "10.0.0.0/8", "10.0.0", "[::1]", "10.0.0.1:80"}) {
      EXPECT_FALSE(networks->Contain(none)) << none;
    }
  }
}

TEST(NetworksTest, SeveralAreOneSet) {
  const auto networks = Networks::Parse("--option", {"10.0.0.0/8", "::1"});
  ASSERT_TRUE(networks.ok());
  EXPECT_TRUE(networks->Contain("10.0.0.1"));
  EXPECT_TRUE(networks->Contain("::1"));
  EXPECT_FALSE(networks->Contain("192.0.2.7"));
  EXPECT_FALSE(Networks().Contain("10.0.0.1"));
}

TEST(NetworksTest, WhatIsNoneIsNamed) {
  for (const char* text :
       {"", "localhost", "10.0.0", "010.0.0.1", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/ 8",
        "10.0.0.0/8/8", "fd00::/129", "[::1]", "fe80::1%lo", "10.0.0.0/255.0.0.0", "10.0.0.0/8 ", "*"}) {
    const auto networks = Networks::Parse("--option", {"::1", text});
    EXPECT_EQ(networks.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(
        std::string(networks.status().message()),
        AllOf(HasSubstr("--option: expected IP addresses and networks"), HasSubstr(std::string("got '") + text + "'")));
  }
  for (const char* text : {"10.0.0.1/8", "192.0.2.9/29", "fd00::1/64", "0.0.0.1/0"}) {
    const auto networks = Networks::Parse("--option", {text});
    EXPECT_THAT(std::string(networks.status().message()),
                AllOf(HasSubstr("--option: expected a network without bits behind its prefix"), HasSubstr(text)));
  }
}

}  // namespace
}  // namespace resnetd
