// Tests what all commands of resnetctl have in common: progress bars, usage, no server.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/cli.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/cli_fake_server.h"
#include "tests/support/temp_folder.h"

namespace resnetd::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StrEq;

// Each takes four seconds, in which nothing is answered.
TEST_F(CommandsTest, LongWorkShowsABarOnATerminalOnly) {
  inference_.set_delay(std::chrono::seconds(4));
  health_.serving_from_check_ = 1 << 30;
  const std::string image = File("a.png", "ok 1");
  const std::vector<std::vector<std::string>> kCases = {
      {"classify", image},
      {"embed", image},
      {"evaluate", "--head=digit", "--data", File("labels.txt", "a.png 1\n")},
      {"bench", "--concurrency=1", "--warmup=0", "--duration=3"},
      {"health", "--wait=4"},
  };
  struct Ran {
    std::vector<std::string> args;
    bool terminal;
    std::future<std::string> err;
  };
  std::vector<Ran> all;
  for (std::vector<std::string> args : kCases) {
    args.push_back(absl::StrCat("--server=127.0.0.1:", port_));
    for (const bool terminal : {false, true}) {
      all.push_back({args, terminal, std::async(std::launch::async, [args, terminal] {
                       std::ostringstream out, err;
                       cli::Run(args, out, err, terminal);
                       return err.str();
                     })});
    }
  }
  for (Ran& ran : all) {
    SCOPED_TRACE(testing::PrintToString(ran.args));
    const std::string err = ran.err.get();
    if (ran.terminal) {
      EXPECT_THAT(err, HasSubstr("---]"));
      EXPECT_THAT(err, EndsWith("\r\x1b[K")) << "the bar was not wiped";
    } else {
      EXPECT_EQ(err, "");
    }
  }
}

TEST_F(CommandsTest, WrongUsageSendsNothing) {
  const std::string a = File("a.png", "ok 1");
  const std::vector<std::vector<std::string>> kCases = {
      {},
      {"unknown"},
      {"classify"},
      {"classify", "--unknown", a},
      {"classify", "--images-per-request=0", a},
      {"classify", "--expect", "/nonexistent", a},
      {"classify", (fs::create_directories(folder_ / "empty"), (folder_ / "empty").string())},
      {"embed"},
      {"health", "--watch", "--wait", "3"},
      {"bench", "--rate=10", "--concurrency=3"},
      {"bench", "--tensor=f16"},
      {"evaluate"},
      {"evaluate", "--data", "/nonexistent"},
      {"evaluate", "--threads=2", "--data", a},
      {"bench", "--image", "/nonexistent.png"},
      {"--timeout=0", "models"},
  };
  for (const std::vector<std::string>& args : kCases) {
    EXPECT_EQ(Ctl(args), 2) << testing::PrintToString(args);
    EXPECT_NE(err(), "") << testing::PrintToString(args);
  }
  EXPECT_TRUE(inference_.request_sizes().empty());
}

TEST_F(CommandsTest, WordsThatNobodyKnowsAreAnsweredWithTheNearest) {
  EXPECT_EQ(Ctl({"clasify", "a.png"}), 2);
  EXPECT_THAT(err(), HasSubstr("no command 'clasify'; did you mean classify?"));
  EXPECT_EQ(Ctl({"classify", "--topk=5"}), 2);
  EXPECT_THAT(err(), HasSubstr("no option --topk of classify; did you mean --top-k?"));
  EXPECT_EQ(Ctl({"models", "--time", "3"}), 2);
  EXPECT_THAT(err(), HasSubstr("did you mean --timeout?"));
  EXPECT_EQ(Ctl({"--frobnicate", "models"}), 2);
  EXPECT_THAT(err(), HasSubstr("no option --frobnicate"));
  EXPECT_THAT(err(), Not(HasSubstr("did you mean")));
}

TEST_F(CommandsTest, VersionIsTold) {
  EXPECT_EQ(Ctl({"--version"}), 0);
  EXPECT_THAT(out(), MatchesRegex("resnetctl [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(CommandsTest, TheEnvironmentNamesTheServer) {
  const auto run = [](const std::vector<std::string>& args, const std::string& variable) {
    setenv("RESNETCTL_SERVER", variable.c_str(), 1);
    std::ostringstream out, err;
    const int status = cli::Run(args, out, err, false);
    unsetenv("RESNETCTL_SERVER");
    return absl::StrCat(status, " ", err.str());
  };
  EXPECT_EQ(run({"health"}, absl::StrCat("http://127.0.0.1:", port_)), "0 ");
  // The command line has the last word, and an empty variable is none.
  EXPECT_EQ(run({"health", "--server", absl::StrCat("127.0.0.1:", port_)}, "127.0.0.1:1"), "0 ");
  EXPECT_EQ(run({"health", "--server", absl::StrCat("127.0.0.1:", port_)}, ""), "0 ");
  EXPECT_THAT(run({"health"}, "https://a"), HasSubstr("2 RESNETCTL_SERVER: expected an address without TLS"));
  EXPECT_THAT(run({"check", "/nonexistent"}, "https://a"), Not(HasSubstr("RESNETCTL_SERVER"))) << "calls no server";
}

TEST_F(CommandsTest, HelpIsNoError) {
  EXPECT_EQ(Ctl({"--help"}), 0);
  for (const char* command : {"classify", "embed", "models", "health", "bench", "evaluate", "preprocess"})
    EXPECT_THAT(out(), HasSubstr(command));
}

TEST(NoServerTest, EveryCommandFailsAndNamesTheServer) {
  const TempFolder folder;
  folder.Write("list.txt", "a.png 1\n");
  const std::string list = folder / "list.txt";
  const std::vector<std::vector<std::string>> kCases = {
      {"models"},         {"health"},     {"health", "--wait=0.2"}, {"bench"}, {"evaluate", "--data", list},
      {"classify", list}, {"embed", list}};
  for (std::vector<std::string> args : kCases) {
    std::ostringstream out, err;
    // Port 1 needs rights that no test server has.
    args.push_back("--server=127.0.0.1:1");
    EXPECT_EQ(cli::Run(args, out, err, false), 1) << testing::PrintToString(args);
    EXPECT_THAT(err.str(), StrEq("127.0.0.1:1: no server answers there: Connection refused (--server names another)\n"))
        << testing::PrintToString(args);
  }
}

}  // namespace
}  // namespace resnetd::cli
