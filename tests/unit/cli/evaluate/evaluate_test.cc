// resnetctl evaluate, through a server and in process.
#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/cli.h"
#include "cli/inputs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/config.h"
#include "models/source.h"
#include "nlohmann/json.hpp"
#include "resnetd/v1/model_config.pb.h"
#include "tests/support/cli_fake_server.h"
#include "tests/support/temp_folder.h"

namespace resnetd::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// ---- through a server ----

TEST_F(CommandsTest, EvaluateCountsWhatTheServerAnswers) {
  // It answers 3 and then 4, 5, 6, 7 to "ok 3".
  for (const auto& [file, text] : {std::pair("3/a.png", "ok 3"),
                                   {"3/b.png", "ok 3"},
                                   {"3/c.png", "ok 2"},
                                   {"label 5/a.png", "ok 1"},
                                   {"label 5/b.png", "ok 0"}}) {
    fs::create_directories((folder_ / "data" / file).parent_path());
    File(absl::StrCat("data/", file), text);
  }
  const std::string data = (folder_ / "data").string(), svg = (folder_ / "confusion.svg").string();
  EXPECT_EQ(Ctl({"evaluate", "small", "--head", "digit", "--data", data, "--svg", svg}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("images    5 answered, 0 failed\n"));
  EXPECT_THAT(out(),
              HasSubstr("classes   by index; torchvision's ImageFolder goes by the order of the names, which makes "
                        "3 class 0\n"));
  EXPECT_THAT(out(), HasSubstr("top 1     40.00 %  (95 %: 11.76 to 76.93 %)\n"));
  EXPECT_THAT(out(), HasSubstr("top 5     80.00 %  (95 %: 37.55 to 96.38 %)\n"));
  EXPECT_THAT(out(), HasSubstr("label 3  3       66.67 %  20.77 to 93.85 %  100.00 %  label 2 (1)\n"));
  EXPECT_THAT(out(), HasSubstr("label 5  2       0.00 %   0.00 to 65.76 %   50.00 %   label 0 (1)\n"));
  EXPECT_THAT(*ReadImageFile(svg), AllOf(HasSubstr(">5  label 5<"), HasSubstr("40.00 % of 5 images right")));

  EXPECT_EQ(Ctl({"evaluate", "--json", "--head", "digit", "--data", data}), 0) << err();
  const nlohmann::json json = Json();
  EXPECT_EQ(json["images"], 5);
  EXPECT_EQ(json["top1"]["right"], 2);
  EXPECT_EQ(json["top5"]["right"], 4);
  EXPECT_NEAR(json["top1"]["low"].get<double>(), 0.1176, 5e-5);
  ASSERT_EQ(json["classes"].size(), 2u);
  EXPECT_EQ(json["classes"][0]["index"], 3);
  EXPECT_EQ(json["classes"][1]["top5"]["right"], 1);
  EXPECT_EQ(json["confusion"].size(), 4u);
  EXPECT_EQ(json["confusion"][1], nlohmann::json({{"true", 3}, {"taken_for", 3}, {"images", 2}}));
  EXPECT_EQ(json["classes_read_as"], "indices");
  EXPECT_EQ(json["image_folder_differs"], true);
  EXPECT_FALSE(json.contains("predictions"));
}

TEST_F(CommandsTest, EvaluateLeavesOutWhatFailsAndSaysSo) {
  File("a.png", "ok 1");
  File("b.png", "bad");
  const std::string list = File("list.txt", "a.png 1\nb.png 1\nmissing.png 1\n");
  EXPECT_EQ(Ctl({"evaluate", "--head=digit", "--data", list}), 1);
  EXPECT_THAT(out(), HasSubstr("1 answered, 2 failed\n"));
  EXPECT_THAT(out(), HasSubstr("top 1     100.00 %"));
  EXPECT_THAT(err(),
              AllOf(HasSubstr("b.png: INVALID_ARGUMENT"), HasSubstr("\nmissing.png: cannot open: No such file")));
  EXPECT_EQ(Ctl({"evaluate", "--json", "--head=digit", "--data", list}), 1);
  EXPECT_EQ(Json()["failed"], 2);
  EXPECT_EQ(Json()["errors"][0]["error"]["reason"], "BAD_IMAGE");
}

TEST_F(CommandsTest, EvaluateSaysHowItReadTheClasses) {
  const std::string indices = File("indices.txt", "a.png 3\n"), labels = File("labels.txt", "a.png label 3\n");
  File("a.png", "ok 3");
  for (int i = 0; i < 10; ++i) {
    fs::create_directories(folder_ / "named" / absl::StrCat("n", i));
    File(absl::StrCat("named/n", i, "/a.png"), "ok 3");
  }
  const std::string named = (folder_ / "named").string();
  for (const auto& [data, text, json] : {std::tuple(indices, "by index", "indices"),
                                         {labels, "by the model's labels", "labels"},
                                         {named, "the folders in the order of their names", "order"}}) {
    EXPECT_EQ(Ctl({"evaluate", "--head=digit", "--data", data}), 0) << err();
    EXPECT_THAT(out(), HasSubstr(absl::StrCat("classes   ", text, "\n")));
    EXPECT_EQ(Ctl({"evaluate", "--json", "--head=digit", "--data", data}), 0) << err();
    EXPECT_EQ(Json()["classes_read_as"], json);
    EXPECT_EQ(Json()["image_folder_differs"], false);
  }
}

TEST_F(CommandsTest, EvaluateHasNoSharesOfNoImages) {
  File("a.png", "bad");
  const std::string list = File("list.txt", "a.png 1\n"), svg = (folder_ / "confusion.svg").string();
  EXPECT_EQ(Ctl({"evaluate", "--head=digit", "--data", list, "--predictions", list, "--svg", svg}), 1);
  EXPECT_THAT(out(), HasSubstr("images    0 answered, 1 failed\n"));
  EXPECT_THAT(out(), HasSubstr("top 1     -\n"));
  EXPECT_THAT(out(), HasSubstr("top 5     -\n"));
  EXPECT_THAT(out(), HasSubstr(absl::StrCat("\n0 of 0 images differ from ", list, ", whose top 1 is -\n")));
  EXPECT_THAT(*ReadImageFile(svg), HasSubstr(">no images<"));

  EXPECT_EQ(Ctl({"evaluate", "--json", "--head=digit", "--data", list, "--predictions", list}), 1);
  const nlohmann::json none = {{"right", 0}, {"share", nullptr}, {"low", nullptr}, {"high", nullptr}};
  EXPECT_EQ(Json()["top1"], none);
  EXPECT_EQ(Json()["top5"], none);
  EXPECT_EQ(Json()["predictions"]["top1"], none);
}

TEST_F(CommandsTest, EvaluateComparesWithPredictions) {
  fs::create_directories(folder_ / "data" / "1");
  std::string same;
  for (int i = 0; i < 30; ++i) {
    File(absl::StrCat("data/1/", 10 + i, ".png"), absl::StrCat("ok ", i % 2));
    same += absl::StrCat("1/", 10 + i, ".png\tlabel ", i % 2, "\n");
  }
  const std::string data = (folder_ / "data").string();
  // Paths as in the folder, wherever the file of predictions is.
  fs::create_directories(folder_ / "elsewhere");
  const std::string equal = File("elsewhere/equal.tsv", same);
  EXPECT_EQ(Ctl({"evaluate", "--head=digit", "--data", data, "--predictions", equal}), 0) << err();
  EXPECT_THAT(out(), HasSubstr(absl::StrCat("\n0 of 30 images differ from ", equal, ", whose top 1 is 50.00 %\n")));

  std::string other;  // as file and folder are on the command line; by index
  for (int i = 0; i < 30; ++i) other += absl::StrCat(data, "/1/", 10 + i, ".png 1\n");
  const std::string all_ones = File("elsewhere/ones.txt", other);
  EXPECT_EQ(Ctl({"evaluate", "--head=digit", "--data", data, "--predictions", all_ones}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("\n15 of 30 images differ from "));
  EXPECT_THAT(out(), HasSubstr(", whose top 1 is 100.00 %\n"));
  EXPECT_THAT(out(), HasSubstr(absl::StrCat(data, "/1/12.png  label 1     label 0  label 1\n")));
  EXPECT_THAT(out(), Not(HasSubstr("more:")));
  EXPECT_EQ(Ctl({"evaluate", "--json", "--head=digit", "--data", data, "--predictions", all_ones}), 0) << err();
  const nlohmann::json json = Json()["predictions"];
  EXPECT_EQ(json["compared"], 30);
  EXPECT_EQ(json["differ"], 15);
  EXPECT_EQ(json["top1"]["right"], 30);
  EXPECT_EQ(json["images"][1], nlohmann::json({{"image", data + "/1/12.png"}, {"true", 1}, {"here", 0}, {"there", 1}}));

  std::string third;
  for (int i = 0; i < 30; ++i) third += absl::StrCat("1/", 10 + i, ".png 7\n");
  EXPECT_EQ(Ctl({"evaluate", "--head=digit", "--data", data, "--predictions", File("sevens.txt", third)}), 0);
  EXPECT_THAT(out(), HasSubstr("and 10 more: --json has all\n"));
}

TEST_F(CommandsTest, EvaluateMistakes) {
  File("a.png", "ok 1");
  const std::string list = File("list.txt", "a.png 1\n"), strange = File("strange.txt", "a.png who\n");
  struct Case {
    std::vector<std::string> args;
    int status;
    const char* says;
  };
  for (const Case& c : {
           Case{{"other", "--data", list}, 1, "NOT_FOUND: no such model"},
           Case{{"--head=shape", "--data", list}, 1, "model 'small' has no head 'shape'"},
           Case{{"--head=digit", "--data", strange}, 2, "from 0 to 9, got 'who'"},
           Case{{"--head=digit", "--data", list, "--predictions", "/nonexistent"}, 2, "/nonexistent"},
           Case{{"--head=digit", "--data", list, "--predictions", File("no.txt", "b.png 1\n")}, 2, "no line for a.png"},
           Case{{"--head=digit", "--data", list, "--predictions", strange}, 2, "a.png: expected a label"},
           Case{{"--head=digit", "--data", list, "--svg", "/nonexistent/a.svg"}, 1, "cannot write /nonexistent/a.svg"},
       }) {
    std::vector<std::string> args = c.args;
    args.insert(args.begin(), "evaluate");
    EXPECT_EQ(Ctl(args), c.status) << c.says;
    EXPECT_THAT(err(), HasSubstr(c.says));
  }
}

// ---- in process ----

struct Result {
  int status;
  std::string out, err;
};

Result RunCli(const std::vector<std::string>& args) {
  std::ostringstream out, err;
  const int status = Run(args, out, err, false);
  return {status, out.str(), err.str()};
}

// The golden images of the model in the program, whose logits PyTorch computed: by folders, and PyTorch's predictions.
v1::GoldenSet WriteGolden(const TempFolder& folder) {
  const std::string text = EmbeddedSource().read("golden.textproto", 1 << 26).value();
  v1::GoldenSet golden = ParseGoldenSet(text, "golden.textproto").value();
  std::string predictions;
  for (int i = 0; i < golden.golden_size(); ++i) {
    const v1::Golden& one = golden.golden(i);
    const std::string name = absl::StrCat(one.label(), "/", i, ".png");
    folder.Write(absl::StrCat("data/", name), one.image());
    absl::StrAppend(&predictions, name, "\t",
                    std::max_element(one.logits().begin(), one.logits().end()) - one.logits().begin(), "\n");
  }
  folder.Write("predictions.tsv", predictions);
  return golden;
}

TEST(EvaluateTest, LocallyOnAnyNumberOfThreads) {
  const TempFolder folder;
  const v1::GoldenSet golden = WriteGolden(folder);
  int64_t right = 0;
  for (const v1::Golden& one : golden.golden()) {
    right += std::max_element(one.logits().begin(), one.logits().end()) - one.logits().begin() == one.label() ? 1 : 0;
  }
  ASSERT_GT(golden.golden_size(), 8) << "not more than a batch";
  for (const char* threads : {"1", "3"}) {
    const Result result = RunCli({"evaluate", "--json", "--local", "--threads", threads, "--data", folder / "data",
                                  "--predictions", folder / "predictions.tsv"});
    ASSERT_EQ(result.status, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["model"], "fashion-resnet20 version 1");
    EXPECT_EQ(json["images"], golden.golden_size());
    EXPECT_EQ(json["top1"]["right"], right);
    EXPECT_EQ(json["predictions"]["differ"], 0);
  }
}

TEST(EvaluateTest, LocallyInBatchesOfAnySize) {
  const TempFolder folder;
  const v1::GoldenSet golden = WriteGolden(folder);
  folder.Write("model/model.onnx", EmbeddedSource().read("model.onnx", 1 << 26).value());
  for (const char* sizes : {"[1]", "[1, 3]", "[64]"}) {
    folder.Write("model/config.textproto",
                 absl::StrCat("batch_sizes: ", sizes, " preprocessing { preset: 'mnist' mean: 0.286 std: 0.353 }"));
    const Result result = RunCli({"evaluate", folder / "model", "--json", "--local", "--data", folder / "data",
                                  "--predictions", folder / "predictions.tsv"});
    ASSERT_EQ(result.status, 0) << sizes << result.err;
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["images"], golden.golden_size()) << sizes;
    EXPECT_EQ(json["predictions"]["differ"], 0) << sizes;
    EXPECT_EQ(json["classes"][0]["label"], "#0") << sizes;
  }
}

TEST(EvaluateTest, LocalImagesFailAlone) {
  const TempFolder folder;
  const v1::GoldenSet golden = WriteGolden(folder);
  for (int i = 0; i < 10; ++i) folder.Write(absl::StrCat("data/3/a", i, ".png"), "text");
  const Result result = RunCli({"evaluate", "--json", "--local", "--threads=2", "--data", folder / "data"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("a0.png: expected a JPEG, PNG or WebP file"));
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["images"], golden.golden_size());
  EXPECT_EQ(json["failed"], 10);
}

TEST(EvaluateTest, LocalMistakes) {
  const TempFolder folder;
  WriteGolden(folder);
  struct Case {
    std::vector<std::string> args;
    const char* says;
  };
  for (const Case& c : {Case{{folder / "nobody"}, "nobody"}, Case{{"--head=shape"}, "has no head 'shape'"}}) {
    std::vector<std::string> args = {"evaluate", "--local", "--data", folder / "data"};
    args.insert(args.end(), c.args.begin(), c.args.end());
    const Result result = RunCli(args);
    EXPECT_EQ(result.status, 1) << c.says;
    EXPECT_THAT(result.err, HasSubstr(c.says));
  }
}

}  // namespace
}  // namespace resnetd::cli
