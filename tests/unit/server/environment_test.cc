#include "server/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace resnetd::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

const std::vector<std::string> kOptions = {"--model",        "--workers",      "--port",
                                           "--metrics-port", "--max-queue-ms", "--max-queue-bytes"};

Environment Read(const std::vector<std::string>& entries) {
  std::vector<const char*> pointers;
  for (const std::string& entry : entries) pointers.push_back(entry.c_str());
  pointers.push_back(nullptr);
  return ReadEnvironment(pointers.data(), kOptions);
}

TEST(EnvironmentTest, Values) {
  const Environment read = Read({"HOME=/root", "RESNETD_PORT=1", "RESNETD_MODEL=a=b",
                                 "RESNETD_MAX_QUEUE_MS=", "RESNETD", "RESNETD_MODEL_X", "XRESNETD_PORT=5"});
  EXPECT_THAT(read.values, ElementsAre(Pair("RESNETD_MODEL", "a=b"), Pair("RESNETD_PORT", "1")));
  EXPECT_THAT(read.warnings, IsEmpty());
}

TEST(EnvironmentTest, AddressesOfServicesAreNoValues) {
  for (const char* name : {"RESNETD_PORT", "RESNETD_METRICS_PORT"}) {
    for (const char* value :
         {"tcp://10.0.0.1:8500", "udp://10.0.0.1:8500", "sctp://10.0.0.1:1", "tcp://[fd00::1]:8500"}) {
      const Environment read = Read({std::string(name) + "=" + value});
      SCOPED_TRACE(std::string(name) + "=" + value);
      EXPECT_THAT(read.values, IsEmpty());
      EXPECT_THAT(read.passed_over, ElementsAre(name));
      EXPECT_THAT(read.warnings,
                  ElementsAre(AllOf(HasSubstr(name), HasSubstr(value), HasSubstr("enableServiceLinks"))));
    }
  }
  // Kubernetes makes no such names, and no other scheme: mistakes that the option tells of.
  for (const char* name : {"RESNETD_MODEL", "RESNETD_WORKERS", "RESNETD_MAX_QUEUE_MS"}) {
    const Environment read = Read({std::string(name) + "=tcp://10.0.0.1:8500"});
    EXPECT_THAT(read.values, ElementsAre(Pair(name, "tcp://10.0.0.1:8500")));
    EXPECT_THAT(read.passed_over, IsEmpty());
    EXPECT_THAT(read.warnings, IsEmpty());
  }
  EXPECT_THAT(Read({"RESNETD_PORT=http://a:1"}).values, ElementsAre(Pair("RESNETD_PORT", "http://a:1")));
}

TEST(EnvironmentTest, WhatElseKubernetesSetsIsPassedOverSilently) {
  for (const char* service :
       {"RESNETD", "RESNETD_METRICS", "RESNETD_CANARY_2", "RESNETD_PORT_8500", "RESNETD_SERVICE"}) {
    for (const char* rest : {"_SERVICE_HOST=10.0.0.1", "_SERVICE_PORT=8500", "_SERVICE_PORT_GRPC=8500",
                             "_SERVICE_PORT_GRPC_WEB=8500", "_PORT_8500_TCP=tcp://10.0.0.1:8500",
                             "_PORT_8500_TCP_PROTO=tcp", "_PORT_8500_TCP_PORT=8500", "_PORT_8500_TCP_ADDR=10.0.0.1",
                             "_PORT_53_UDP=udp://10.0.0.1:53", "_PORT_53_UDP_ADDR=10.0.0.1", "_PORT_9_SCTP_PORT=9"}) {
      const std::string entry = std::string(service) + rest;
      SCOPED_TRACE(entry);
      const Environment read = Read({entry});
      EXPECT_THAT(read.values, IsEmpty());
      EXPECT_THAT(read.warnings, IsEmpty());
    }
  }
  EXPECT_THAT(Read({"RESNETD_CANARY_PORT=tcp://10.0.0.1:8500"}).warnings, IsEmpty());
}

TEST(EnvironmentTest, OthersAreWarnedOfWithTheNearest) {
  struct Case {
    const char *entry, *nearest;
  };
  const Case cases[] = {
      {"RESNETD_PROT=1", "RESNETD_PORT"},
      {"RESNETD_MAX_QUEUE=1", "RESNETD_MAX_QUEUE_MS"},
      {"RESNETD_QUEUE_BYTES=1", "RESNETD_MAX_QUEUE_BYTES"},
      {"RESNETD_MODEL_=x", "RESNETD_MODEL"},
      {"RESNETD_port=1", "RESNETD_PORT"},
      {"RESNETD_METRIC_PORT=1", "RESNETD_METRICS_PORT"},
      {"RESNETD_PORT_TCP=1", "RESNETD_PORT"},
      {"RESNETD_PORT_8500_HTTP=1", "RESNETD_"},
      {"RESNETD_CANARY_PORT=1", "RESNETD_"},
      {"RESNETD_TEST_DATA=/data", "RESNETD_"},  // our tests', of which the server knows nothing
  };
  for (const Case& c : cases) {
    const std::string entry = c.entry;
    SCOPED_TRACE(entry);
    EXPECT_THAT(Read({entry}).warnings, ElementsAre(AllOf(HasSubstr(entry.substr(0, entry.find('='))),
                                                          HasSubstr(std::string("nearest is ") + c.nearest))));
  }
}

TEST(EnvironmentTest, WarningsAreShort) {
  const std::string letters(5000, 'X');
  for (const std::string& entry : {"RESNETD_" + letters + "=1", "RESNETD_PORT=tcp://" + letters}) {
    const Environment read = Read({entry});
    ASSERT_EQ(read.warnings.size(), 1u);
    EXPECT_LT(read.warnings[0].size(), 500u);
    EXPECT_THAT(read.warnings[0], HasSubstr("bytes)"));
  }
}

}  // namespace
}  // namespace resnetd::server
