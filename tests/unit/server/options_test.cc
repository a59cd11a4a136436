#include "server/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <sstream>

namespace resnetd::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

struct Parsed {
  std::optional<ServerOptions> options;
  int exit_status = -1;
  std::string out, err;
};

Parsed Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "resnetd");
  Parsed parsed;
  std::ostringstream out, err;
  parsed.options = ParseOptions(static_cast<int>(arguments.size()), arguments.data(), out, err, parsed.exit_status);
  parsed.out = out.str();
  parsed.err = err.str();
  return parsed;
}

TEST(Options, NothingIsNeeded) {
  const Parsed parsed = Parse({});
  ASSERT_TRUE(parsed.options.has_value()) << parsed.err;
  EXPECT_EQ(parsed.options->model_file, "");
  EXPECT_FALSE(parsed.options->keep_going);
  EXPECT_EQ(parsed.options->edge.address, "127.0.0.1");
  EXPECT_EQ(parsed.options->edge.port, 8500);
  EXPECT_EQ(parsed.options->metrics_address, "127.0.0.1");
  EXPECT_THAT(parsed.options->batch_sizes, ElementsAre(1, 2, 4, 8));
}

TEST(Options, EachReachesItsField) {
  const Parsed parsed = Parse({"--model",
                               "m.onnx",
                               "--recipe",
                               "mnist",
                               "--labels",
                               "l.txt",
                               "--model-root",
                               "root",
                               "--keep-going",
                               "--batch-sizes",
                               "1,3,16",
                               "--port",
                               "0",
                               "--metrics-port",
                               "65535",
                               "--max-connections",
                               "77",
                               "--max-connection-age",
                               "3",
                               "--max-message-bytes",
                               "4096",
                               "--max-bytes-in-flight",
                               "8192",
                               "--max-image-pixels",
                               "100",
                               "--max-streams-per-connection",
                               "7",
                               "--trusted-proxies",
                               "10.0.0.0/8,fd00::1",
                               "--message-timeout-ms",
                               "86400000",
                               "--answer-timeout-ms",
                               "0",
                               "--workers",
                               "3",
                               "--threads",
                               "2",
                               "--max-queue-ms",
                               "250",
                               "--default-deadline-ms",
                               "0",
                               "--lame-duck-ms",
                               "1",
                               "--drain-ms",
                               "2",
                               "--log-level",
                               "debug"});
  ASSERT_TRUE(parsed.options.has_value()) << parsed.err;
  const ServerOptions& o = *parsed.options;
  EXPECT_EQ(o.model_file, "m.onnx");
  EXPECT_EQ(o.recipe, "mnist");
  EXPECT_EQ(o.labels_file, "l.txt");
  EXPECT_EQ(o.model_root, "root");
  EXPECT_TRUE(o.keep_going);
  EXPECT_THAT(o.batch_sizes, ElementsAre(1, 3, 16));
  EXPECT_EQ(o.edge.port, 0);
  EXPECT_EQ(o.metrics_port, 65535);
  EXPECT_EQ(o.max_connections, 77);
  EXPECT_EQ(o.edge.max_connection_age, std::chrono::seconds(3));
  EXPECT_EQ(o.edge.max_message_bytes, 4096u);
  EXPECT_EQ(o.edge.max_bytes_in_flight, 8192u);
  EXPECT_EQ(o.edge.image_limits.max_pixels, 100);
  EXPECT_EQ(o.edge.max_streams_per_connection, 7);
  EXPECT_THAT(o.edge.trusted_proxies, ElementsAre("10.0.0.0/8", "fd00::1"));
  EXPECT_EQ(o.edge.message_timeout, std::chrono::hours(24));
  EXPECT_EQ(o.edge.answer_timeout, std::chrono::milliseconds(0));
  EXPECT_EQ(o.workers, 3);
  EXPECT_EQ(o.threads, 2);
  EXPECT_EQ(o.scheduling.max_queue_time, std::chrono::milliseconds(250));
  EXPECT_EQ(o.default_deadline, std::chrono::milliseconds(0));
  EXPECT_EQ(o.lame_duck, std::chrono::milliseconds(1));
  EXPECT_EQ(o.drain, std::chrono::milliseconds(2));
  EXPECT_EQ(o.log_level, "debug");
}

TEST(Options, EnvironmentStandsInAndTheCommandLineWins) {
  setenv("RESNETD_PORT", "1234", 1);
  setenv("RESNETD_MAX_QUEUE_MS", "77", 1);
  const Parsed from_environment = Parse({});
  const Parsed overridden = Parse({"--port", "4321"});
  setenv("RESNETD_PORT", "70000", 1);
  const Parsed wrong = Parse({});
  unsetenv("RESNETD_PORT");
  unsetenv("RESNETD_MAX_QUEUE_MS");
  ASSERT_TRUE(from_environment.options.has_value()) << from_environment.err;
  EXPECT_EQ(from_environment.options->edge.port, 1234);
  EXPECT_EQ(from_environment.options->scheduling.max_queue_time, std::chrono::milliseconds(77));
  ASSERT_TRUE(overridden.options.has_value()) << overridden.err;
  EXPECT_EQ(overridden.options->edge.port, 4321);
  EXPECT_FALSE(wrong.options.has_value());
  EXPECT_EQ(wrong.exit_status, 2);
}

TEST(Options, FlagsHaveValuesInTheEnvironment) {
  for (const auto& [value, keeps_going] : {std::pair("true", true), {"1", true}, {"false", false}, {"0", false}}) {
    SCOPED_TRACE(value);
    setenv("RESNETD_KEEP_GOING", value, 1);
    const Parsed parsed = Parse({});
    const Parsed overridden = Parse({"--keep-going"});
    unsetenv("RESNETD_KEEP_GOING");
    ASSERT_TRUE(parsed.options.has_value()) << parsed.err;
    EXPECT_EQ(parsed.options->keep_going, keeps_going);
    ASSERT_TRUE(overridden.options.has_value()) << overridden.err;
    EXPECT_TRUE(overridden.options->keep_going);
  }
  setenv("RESNETD_KEEP_GOING", "perhaps", 1);
  const Parsed wrong = Parse({});
  unsetenv("RESNETD_KEEP_GOING");
  EXPECT_EQ(wrong.exit_status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("--keep-going"));
}

TEST(Options, WhatKubernetesSetsIsNoMistake) {
  setenv("RESNETD_PORT", "tcp://10.0.0.1:8500", 1);
  setenv("RESNETD_METRICS_PORT", "tcp://[fd00::1]:8501", 1);
  setenv("RESNETD_SERVICE_HOST", "10.0.0.1", 1);
  const Parsed parsed = Parse({});
  const Parsed overridden = Parse({"--port", "4321"});
  for (const char* name : {"RESNETD_PORT", "RESNETD_METRICS_PORT", "RESNETD_SERVICE_HOST"}) unsetenv(name);
  ASSERT_TRUE(parsed.options.has_value()) << parsed.err;
  EXPECT_EQ(parsed.options->edge.port, 8500);
  EXPECT_EQ(parsed.options->metrics_port, 8501);
  EXPECT_THAT(parsed.options->warnings,
              UnorderedElementsAre(HasSubstr("RESNETD_PORT=tcp://10.0.0.1:8500 is passed over"),
                                   HasSubstr("RESNETD_METRICS_PORT=tcp://[fd00::1]:8501")));
  ASSERT_TRUE(overridden.options.has_value()) << overridden.err;
  EXPECT_EQ(overridden.options->edge.port, 4321);
}

TEST(Options, WhatIsEchoedIsShort) {
  const std::string letters(5000, 'x');
  const std::string option = "--" + letters;
  struct Case {
    std::vector<const char*> arguments;
    const char* said;
  };
  for (const Case& c :
       {Case{{option.c_str()}, "--xx"}, Case{{letters.c_str()}, "xx"},
        Case{{"--port", letters.c_str()}, "expected 0 to 65535"}, Case{{"--drain-ms", letters.c_str()}, "milliseconds"},
        Case{{"--batch-sizes", letters.c_str()}, "--batch-sizes"},
        Case{{"--log-level", letters.c_str()}, "--log-level"}}) {
    const Parsed parsed = Parse(c.arguments);
    SCOPED_TRACE(parsed.err);
    EXPECT_EQ(parsed.exit_status, 2);
    EXPECT_THAT(parsed.err, HasSubstr(c.said));
    EXPECT_THAT(parsed.err, HasSubstr("bytes)"));
    EXPECT_LT(parsed.err.size(), 500u);
  }
}

TEST(Options, HelpAndVersionAreNoMistakes) {
  const Parsed help = Parse({"--help"});
  EXPECT_FALSE(help.options.has_value());
  EXPECT_EQ(help.exit_status, 0);
  EXPECT_THAT(help.out, HasSubstr("--max-queue-ms"));
  const Parsed version = Parse({"--version"});
  EXPECT_EQ(version.exit_status, 0);
  EXPECT_THAT(version.out, HasSubstr("resnetd "));
}

TEST(Options, MistakesNameTheOption) {
  struct Case {
    std::vector<const char*> arguments;
    const char* said;
  };
  const Case cases[] = {
      {{"--prot", "1"}, "--prot"},
      {{"stray"}, "stray"},
      {{"--port", "-1"}, "--port: expected 0 to 65535, got -1"},
      {{"--port", "65536"}, "--port: expected 0 to 65535, got 65536"},
      {{"--port", "http"}, "--port: expected 0 to 65535, got http"},
      {{"--port", "0x10"}, "--port: expected 0 to 65535, got 0x10"},
      {{"--port", "010"}, "--port: expected 0 to 65535, got 010"},
      {{"--max-queue-ms", "1_000"}, "--max-queue-ms: expected 0 to 86400000 milliseconds, got 1_000"},
      {{"--drain-ms", "+5"}, "got +5"},
      {{"--workers", " 1"}, "got  1"},
      {{"--batch-sizes", "1,0x2"}, "--batch-sizes: expected 1 to 256, got 0x2"},
      {{"--address", "0"}, "--address: expected a name, an IPv4 address of four numbers or an IPv6 address, got '0'"},
      {{"--metrics-address", "127.1"}, "--metrics-address: expected a name, an IPv4 address"},
      {{"--address", "[localhost]"}, "got '[localhost]'"},
      {{"--workers", "257"}, "--workers: expected 0 to 256, got 257"},
      {{"--threads", "0"}, "--threads: expected 1 to 256, got 0"},
      {{"--max-calls-in-flight", "0"}, "--max-calls-in-flight: expected 1 to"},
      {{"--max-message-bytes", "2147483648"}, "--max-message-bytes: expected 1 to 2147483647, got 2147483648"},
      {{"--max-streams-per-connection", "0"}, "--max-streams-per-connection: expected 1 to 1000000, got 0"},
      {{"--max-streams-per-connection", "1000001"}, "--max-streams-per-connection"},
      {{"--trusted-proxies", "10.0.0.0/8,proxy"}, "--trusted-proxies: expected IP addresses and networks"},
      {{"--trusted-proxies", "10.0.0.1/8"}, "--trusted-proxies: expected a network without bits behind its prefix"},
      {{"--message-timeout-ms", "-1"}, "--message-timeout-ms: expected 0 to 86400000 milliseconds, got -1"},
      {{"--message-timeout-ms", "86400001"}, "--message-timeout-ms"},
      {{"--answer-timeout-ms", "-1"}, "--answer-timeout-ms: expected 0 to 86400000 milliseconds, got -1"},
      {{"--answer-timeout-ms", "86400001"}, "--answer-timeout-ms"},
      {{"--max-queue-ms", "-1"}, "--max-queue-ms: expected 0 to 86400000 milliseconds, got -1"},
      {{"--max-queue-ms", "86400001"}, "--max-queue-ms"},
      {{"--batch-sizes", "4,2"}, "--batch-sizes: expected ascending sizes"},
      {{"--batch-sizes", "2,2"}, "--batch-sizes: expected ascending sizes"},
      {{"--batch-sizes", "0"}, "--batch-sizes"},
      {{"--batch-sizes", "257"}, "--batch-sizes"},
      {{"--log-level", "loud"}, "--log-level"},
      {{"--model", "a", "--models", "b"}, "--models"},
      {{"--recipe", "mnist"}, "--model"},
      {{"--labels", "l.txt"}, "--model"},
      {{"--model-root", "root"}, "--model-root: expected with --model or --models"},
      {{"--input-size", "224x224"}, "--model"},
      {{"--model", "m.onnx", "--input-size", "224"}, "--input-size: expected HEIGHTxWIDTH in pixels"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.arguments.front());
    const Parsed parsed = Parse(c.arguments);
    EXPECT_FALSE(parsed.options.has_value());
    EXPECT_EQ(parsed.exit_status, 2);
    EXPECT_THAT(parsed.err, HasSubstr(c.said));
  }
}

}  // namespace
}  // namespace resnetd::server
