// resnetctl models.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/cli_fake_server.h"

namespace resnetd::cli {
namespace {

using ::testing::HasSubstr;

TEST_F(CommandsTest, ModelsLists) {
  EXPECT_EQ(Ctl({"models"}), 0) << err();
  EXPECT_EQ(out(),
            "model   version  state   error\n"
            "small   1        READY   \n"
            "broken  2        FAILED  node Conv_3: unsupported\n");
}

TEST_F(CommandsTest, ModelsJsonHoldsDetailsOfThoseThatAreReady) {
  EXPECT_EQ(Ctl({"models", "--json"}), 0) << err();
  const nlohmann::json json = Json();
  EXPECT_EQ(json[0]["input"]["width"], 3);
  EXPECT_EQ(json[0]["input"]["tensor_types"], nlohmann::json({"UINT8"}));
  EXPECT_EQ(json[0]["input"]["resizes_pixels"], true);
  EXPECT_EQ(json[0]["state"], "READY");
  EXPECT_EQ(json[1]["error"], "node Conv_3: unsupported");
  EXPECT_FALSE(json[1].contains("input"));
  EXPECT_EQ(json[0]["heads"][0]["activation"], "SIGMOID");
  EXPECT_EQ(json[0]["heads"][0]["thresholds"], nlohmann::json({0.5}));
  EXPECT_EQ(json[0]["layers"][0]["shape"], nlohmann::json({8}));
  EXPECT_EQ(json[0]["layers"][0]["spaces"][1],
            nlohmann::json({{"id", "id2"}, {"dimensions", 2}, {"l2_normalized", true}}));
}

TEST_F(CommandsTest, ModelsShowsOne) {
  EXPECT_EQ(Ctl({"models", "small"}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("2 x 3 x 1; UINT8; "));
  EXPECT_THAT(out(), HasSubstr("colour: 2 classes, no labels, sigmoid with thresholds\n"));
  EXPECT_THAT(out(), HasSubstr("stage1: 8; space id8; of length 1 id2 of the first 2\n"));
  EXPECT_EQ(Ctl({"models", "other"}), 1);
  EXPECT_THAT(err(), HasSubstr("NOT_FOUND: no such model"));
}

}  // namespace
}  // namespace resnetd::cli
