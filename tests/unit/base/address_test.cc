#include "base/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace resnetd {
namespace {

using ::testing::HasSubstr;

TEST(AddressTest, NamesAndAddressesThatAreWrittenOut) {
  for (const char* address :
       {"127.0.0.1", "0.0.0.0", "255.255.255.255", "::1", "[::1]", "::", "[::]", "fe80::1:2", "::ffff:10.0.0.1",
        "localhost", "a-host.example", "10-0-0-1.pods", "fe80::1%lo", "[fe80::1%lo]"}) {
    EXPECT_EQ(CheckAddress("--address", address), absl::OkStatus()) << address;
  }
}

TEST(AddressTest, WhatTheResolverWouldTakeForAnother) {
  for (const char* address : {"0", "1", "0x10", "127.1", "10.0.1", "0x7f.0.0.1", "010.0.0.1", "2130706433", "", "[]",
                              "[127.0.0.1]", "[localhost]", "[0]"}) {
    const absl::Status status = CheckAddress("--address", address);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(status.message(), HasSubstr(std::string("--address: expected a name, an IPv4 address of four numbers "
                                                        "or an IPv6 address, got '") +
                                            address + "'"));
  }
}

TEST(AddressTest, SocketFilesWhereTheyWillDo) {
  for (const char* address : {"unix:/run/s", "unix:///run/s", "unix:s"}) {
    EXPECT_EQ(CheckAddressOrSocketFile("--address", address), absl::OkStatus()) << address;
    EXPECT_FALSE(CheckAddress("--metrics-address", address).ok()) << address;
    EXPECT_EQ(HostPort(address, 8500), address);
  }
  EXPECT_EQ(SocketFileOf("unix:/run/s"), "/run/s");
  EXPECT_EQ(SocketFileOf("unix:///run/s"), "/run/s");
  EXPECT_EQ(SocketFileOf("unix:s"), "s");
  EXPECT_EQ(CheckAddressOrSocketFile("--address", "unix:").message(),
            "--address: expected unix: and the path of a socket, got 'unix:'");
  EXPECT_EQ(CheckAddressOrSocketFile("--address", "::1"), absl::OkStatus());
  EXPECT_FALSE(CheckAddressOrSocketFile("--address", "0").ok());
}

TEST(AddressTest, BracketsBelongToThePort) {
  EXPECT_EQ(HostOf("[::1]"), "::1");
  EXPECT_EQ(HostOf("::1"), "::1");
  EXPECT_EQ(HostOf("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(HostPort("[::1]", 1), "[::1]:1");
  EXPECT_EQ(HostPort("::1", 8500), "[::1]:8500");
  EXPECT_EQ(HostPort("localhost", 8500), "localhost:8500");
}

}  // namespace
}  // namespace resnetd
