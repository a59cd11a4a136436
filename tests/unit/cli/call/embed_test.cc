// resnetctl embed.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/inputs.h"
#include "cli/print/npy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/cli_fake_server.h"

namespace resnetd::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST_F(CommandsTest, EmbedPrintsNormsAndFirstValues) {
  EXPECT_EQ(Ctl({"embed", File("a.png", "ok 3")}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("a.png  3     5.0000  3.0000 4.0000 0.0000\n"));
}

TEST_F(CommandsTest, EmbedAsksForUnitLength) {
  EXPECT_EQ(Ctl({"embed", "--json", "--l2", File("a.png", "ok 3")}), 0) << err();
  EXPECT_EQ(Json()[0]["embedding"], nlohmann::json({3.0, 4.0, 1.0}));
}

TEST_F(CommandsTest, EmbedCutsVectorsAndNamesTheirSpace) {
  EXPECT_EQ(Ctl({"embed", "--json", "--dimensions=2", File("a.png", "ok 3")}), 0) << err();
  EXPECT_EQ(Json()[0]["embedding"], nlohmann::json({3.0, 4.0}));
  EXPECT_EQ(Json()[0]["embedding_space"], "space of pool");
}

TEST_F(CommandsTest, EmbedShowsEachLayer) {
  const std::string a = File("a.png", "ok 3");
  EXPECT_EQ(Ctl({"embed", "--layer", "pool", "--layer", "stage3", a}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("  layer   size  norm    first values\n"));
  EXPECT_THAT(out(), HasSubstr("a.png  pool    4     6.4031  3.0000 4.0000 0.0000 4.0000\n"));
  EXPECT_THAT(out(), HasSubstr("a.png  stage3  4     7.8102  3.0000 4.0000 0.0000 6.0000\n"));
  EXPECT_EQ(Ctl({"embed", "--json", "--layer", "pool", "--layer", "stage3", a}), 0) << err();
  EXPECT_FALSE(Json()[0].contains("embedding"));
  EXPECT_EQ(Json()[0]["layers"]["pool"]["embedding"], nlohmann::json({3.0, 4.0, 0.0, 4.0}));
  EXPECT_EQ(Json()[0]["layers"]["stage3"]["embedding"], nlohmann::json({3.0, 4.0, 0.0, 6.0}));
  EXPECT_EQ(Json()[0]["layers"]["stage3"]["embedding_space"], "space of stage3");
}

TEST_F(CommandsTest, EmbedRequiresASpace) {
  const std::string a = File("a.png", "ok 3");
  EXPECT_EQ(Ctl({"embed", "--require-space", "space of pool", a}), 0) << err();
  EXPECT_EQ(Ctl({"embed", "--require-space", "mine", a}), 1);
  EXPECT_THAT(err(), HasSubstr("FAILED_PRECONDITION: another space than mine"));
}

TEST_F(CommandsTest, EmbedWritesOneLayerAFile) {
  const std::string npy = (folder_ / "out.npy").string(), a = File("a.png", "ok 3");
  EXPECT_EQ(Ctl({"embed", "--npy", npy, "--layer=stage3", a}), 0) << err();
  EXPECT_EQ(fs::file_size(npy), NpyHeader({1, 4}).size() + 16);
  fs::remove(npy);
  EXPECT_EQ(Ctl({"embed", "--npy", npy, "--layer=stage3", "--layer=pool", a}), 2);
  EXPECT_THAT(err(), HasSubstr("--npy: expected one --layer, got 2"));
  EXPECT_FALSE(fs::exists(npy));
}

TEST_F(CommandsTest, EmbedWritesNpyWithARowForEveryImage) {
  const std::string npy = (folder_ / "out.npy").string();
  EXPECT_EQ(Ctl({"embed", "--npy", npy, File("a.png", "ok 3"), File("b.png", "bad"), File("c.png", "ok 5")}), 1);
  EXPECT_EQ(out(), absl::StrCat(npy, ": 3 rows of 3, 1 of them NaN; ", (folder_ / "out.tsv").string(),
                                " says which row is which file\n"));
  EXPECT_EQ(*ReadImageFile((folder_ / "out.tsv").string()),
            absl::StrCat("path\tstatus\tspace\n", (folder_ / "a.png").string(), "\tok\tspace of pool\n",
                         (folder_ / "b.png").string(),
                         "\tINVALID_ARGUMENT: images: expected JPEG or PNG, got 3 bytes of text\t\n",
                         (folder_ / "c.png").string(), "\tok\tspace of pool\n"));
  std::ifstream file(npy, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  const std::string header = NpyHeader({3, 3});
  ASSERT_EQ(bytes.str().size(), header.size() + 36);
  EXPECT_EQ(bytes.str().substr(0, header.size()), header);
  float values[9];
  bytes.str().copy(reinterpret_cast<char*>(values), 36, header.size());
  EXPECT_EQ(values[0], 3);
  for (int i = 3; i < 6; ++i) EXPECT_TRUE(std::isnan(values[i]));
  EXPECT_EQ(values[6], 5);
}

TEST_F(CommandsTest, RowsOnADeviceHaveNoTable) {
  EXPECT_EQ(Ctl({"embed", "--npy", "/dev/null", File("a.png", "ok 3")}), 0) << err();
  EXPECT_EQ(out(), "");
}

TEST_F(CommandsTest, ATableThatCannotBeWrittenKeepsTheRowsBack) {
  const std::string npy = (folder_ / "out.npy").string();
  fs::create_directories(folder_ / "out.tsv");
  EXPECT_EQ(Ctl({"embed", "--npy", npy, File("a.png", "ok 3")}), 1);
  EXPECT_THAT(err(), HasSubstr("out.tsv"));
  EXPECT_FALSE(fs::exists(npy));
}

TEST_F(CommandsTest, EmbedPrintsALineAnImageAsTheyCome) {
  const std::string a = File("a.png", "ok 3"), b = File("b.png", "bad"), npy = (folder_ / "out.npy").string();
  EXPECT_EQ(Ctl({"embed", "--jsonl", "--npy", npy, a, b}), 1);
  const std::vector<std::string> lines = absl::StrSplit(out(), '\n');
  ASSERT_EQ(lines.size(), 3u) << out();
  EXPECT_EQ(nlohmann::json::parse(lines[0])["embedding"], nlohmann::json({3.0, 4.0, 0.0}));
  EXPECT_EQ(nlohmann::json::parse(lines[1])["error"]["reason"], "BAD_IMAGE");
  EXPECT_TRUE(fs::exists(npy));
}

TEST_F(CommandsTest, EmbedWritesNoNpyWithoutAnEmbedding) {
  const std::string npy = (folder_ / "out.npy").string();
  EXPECT_EQ(Ctl({"embed", "--npy", npy, File("b.png", "bad")}), 1);
  EXPECT_THAT(err(), HasSubstr("no image has an embedding: " + npy + " not written"));
  EXPECT_FALSE(fs::exists(npy));
}

}  // namespace
}  // namespace resnetd::cli
