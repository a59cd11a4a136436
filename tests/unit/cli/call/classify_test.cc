// resnetctl classify, and how files go to a server in bulk.
#include <chrono>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/cli.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/cli_fake_server.h"

namespace resnetd::cli {
namespace {

using ::testing::Each;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::UnorderedElementsAre;

TEST_F(CommandsTest, ClassifyPrintsATable) {
  const std::string a = File("a.png", "ok 3"), b = File("b.png", "ok 9");
  EXPECT_EQ(Ctl({"classify", "--top-k", "2", a, b}), 0) << err();
  const std::string gap(folder_.string().size() + 1, ' ');
  EXPECT_EQ(out(), absl::StrCat("image", gap, "  top 1           top 2\n",  //
                                a, "  label 3 75.0 %  label 4 75.0 %\n",    //
                                b, "  #9 75.0 %       #10 75.0 %\n"));
  EXPECT_EQ(err(), "");
}

TEST_F(CommandsTest, ClassifyShowsTrueLabelsAndCountsThem) {
  const std::string a = File("a.png", "ok 3"), b = File("b.png", "ok 4"), c = File("c.png", "ok 9"),
                    d = File("d.png", "ok 1");
  const std::string list = File("labels.txt", "a.png label 3\nb.png label 7\nc.png 9\n");
  EXPECT_EQ(Ctl({"classify", "--top-k=1", "--expect", list, a, b, c, d}), 0) << err();
  EXPECT_THAT(out(), HasSubstr(a + "  label 3     label 3 75.0 %\n"));
  EXPECT_THAT(out(), HasSubstr(b + "  label 7     label 4 75.0 %\n"));
  EXPECT_THAT(out(), HasSubstr(d + "              label 1 75.0 %\n"));
  EXPECT_THAT(out(), HasSubstr("\n2 of 3 correct\n"));
}

TEST_F(CommandsTest, ClassifyLogits) {
  EXPECT_EQ(Ctl({"classify", "--logits", "--top-k=1", File("a.png", "ok 3")}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("label 3 12.500\n"));
}

TEST_F(CommandsTest, ClassifyAsksForAHead) {
  EXPECT_EQ(Ctl({"classify", "--head", "colour", "--top-k=1", File("a.png", "ok 3")}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("colourlabel 3 75.0 %\n"));
}

// The model's first head has two.
TEST_F(CommandsTest, ClassifyShowsAllClassesWhereMoreAreAskedFor) {
  const std::string a = File("a.png", "ok 3");
  for (const std::vector<std::string>& options : {std::vector<std::string>{}, std::vector<std::string>{"--top-k=10"},
                                                  std::vector<std::string>{"--head=colour"}}) {
    std::vector<std::string> args = {"classify", "--json", a};
    args.insert(args.end(), options.begin(), options.end());
    EXPECT_EQ(Ctl(args), 0) << err();
    EXPECT_EQ(Json()[0]["classes"].size(), 2u) << testing::PrintToString(options);
  }
  EXPECT_EQ(Ctl({"classify", "--top-k=10", a}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("top 2\n")) << "a column for each class that is there";
  EXPECT_EQ(Ctl({"classify", "--json", "--top-k=7", "--head=digit", a}), 0) << err();
  EXPECT_EQ(Json()[0]["classes"].size(), 7u);
}

// An image that fails, in a batch or as a call, or that cannot be read, fails alone.
TEST_F(CommandsTest, EachImageFailsAlone) {
  const std::string a = File("a.png", "ok 1"), b = File("b.png", "bad"), c = File("c.png", "ok 2");
  const std::string missing = (folder_ / "missing.png").string();
  for (const char* per_request : {"1", "2", "3", "8"}) {
    SCOPED_TRACE(per_request);
    EXPECT_EQ(Ctl({"classify", "--json", "--top-k=1", "--images-per-request", per_request, a, missing, b, c}), 1);
    const nlohmann::json json = Json();
    ASSERT_EQ(json.size(), 4u);
    EXPECT_EQ(json[0]["classes"][0]["label"], "label 1");
    EXPECT_EQ(json[1]["error"]["code"], "NOT_FOUND");
    EXPECT_EQ(json[2]["image"], b);
    EXPECT_EQ(json[2]["error"]["code"], "INVALID_ARGUMENT");
    EXPECT_EQ(json[2]["error"]["reason"], "BAD_IMAGE");
    EXPECT_EQ(json[3]["classes"][0]["index"], 2);
    EXPECT_THAT(
        err(),
        HasSubstr(b + ": INVALID_ARGUMENT: images: expected JPEG or PNG, got 3 bytes of text\n  reason: BAD_IMAGE\n"));
  }
}

// The first line is there before the second image is answered.
TEST_F(CommandsTest, ClassifyPrintsALineAnImageAsTheyCome) {
  const std::string a = File("a.png", "ok 1"), b = File("b.png", "ok 2");
  std::ostringstream lines, err;
  inference_.set_gate([&, images_before = 0](grpc::ServerContext&, int images) mutable {
    if (images > 0 && images_before++ == 1) {
      EXPECT_THAT(lines.str(), EndsWith("}\n"));
    }
    return grpc::Status::OK;
  });
  EXPECT_EQ(cli::Run({"classify", "--jsonl", "--images-per-request=1", "--requests-in-flight=1", a, b,
                      absl::StrCat("--server=127.0.0.1:", port_)},
                     lines, err, false),
            0)
      << err.str();
  const std::vector<std::string> printed = absl::StrSplit(lines.str(), '\n');
  ASSERT_EQ(printed.size(), 3u);
  EXPECT_EQ(nlohmann::json::parse(printed[0])["image"], a);
  EXPECT_EQ(nlohmann::json::parse(printed[1])["classes"][0]["index"], 2);
  EXPECT_EQ(Ctl({"classify", "--jsonl", "--json", a}), 2);
}

TEST_F(CommandsTest, AListsMissingFileFailsAlone) {
  const std::string a = File("a.png", "ok 1"), missing = (folder_ / "missing.png").string();
  EXPECT_EQ(Ctl({"classify", "--json", "--from-file", File("list.txt", absl::StrCat(missing, "\r\n\n", a, "\r\n"))}),
            1);
  EXPECT_EQ(Json()[0]["image"], missing);
  EXPECT_EQ(Json()[0]["error"]["code"], "NOT_FOUND");
  EXPECT_EQ(Json()[1]["classes"][0]["index"], 1);
  EXPECT_EQ(err(), absl::StrCat(missing, ": cannot open: No such file or directory\n1 of 2 images failed\n"));
}

TEST_F(CommandsTest, RowsWithErrorsShowThem) {
  EXPECT_EQ(Ctl({"classify", File("b.png", "bad")}), 1);
  EXPECT_THAT(out(), HasSubstr("b.png  INVALID_ARGUMENT: images: expected JPEG or PNG, got 3 bytes of text\n"));
}

TEST_F(CommandsTest, AnswersStayInOrderWhateverTheWindow) {
  for (int i = 0; i < 50; ++i) File(absl::StrCat("i", 100 + i, ".png"), absl::StrCat("ok ", i));
  inference_.set_delay(std::chrono::milliseconds(2));
  EXPECT_EQ(Ctl({"classify", "--json", "--images-per-request=4", "--requests-in-flight=5", folder_.string()}), 0)
      << err();
  const nlohmann::json json = Json();
  ASSERT_EQ(json.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(json[i]["classes"][0]["index"], i);
  EXPECT_THAT(inference_.request_sizes(), Each(Le(4)));
  EXPECT_EQ(inference_.request_sizes().size(), 13u);
  EXPECT_GT(inference_.most_calls_at_once(), 1) << "calls were not pipelined";
  EXPECT_LE(inference_.most_calls_at_once(), 5);
}

// A request is closed once it holds 8 MiB.
TEST_F(CommandsTest, LargeFilesGoInSmallerRequests) {
  const std::string large = "ok " + std::string(5 << 20, '0') + "1";
  const std::vector<std::string> files = {File("a.png", large), File("b.png", large), File("c.png", large)};
  EXPECT_EQ(Ctl({"classify", "--json", files[0], files[1], files[2]}), 0) << err();
  EXPECT_THAT(inference_.request_sizes(), UnorderedElementsAre(2, 1));
  EXPECT_EQ(Json().size(), 3u);
}

}  // namespace
}  // namespace resnetd::cli
