#include "base/echo.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace resnetd {
namespace {

std::string Times(size_t count, const std::string& text) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

TEST(EchoTest, Table) {
  struct Case {
    const char* name;
    std::string text, echo;
  };
  const Case cases[] = {
      {"nothing", "", ""},
      {"a name", "resnet-50", "resnet-50"},
      {"as long as may be", Times(128, "a"), Times(128, "a")},
      {"a byte longer", Times(129, "a"), Times(128, "a") + "... (129 bytes)"},
      {"much longer", Times(5000, "a"), Times(128, "a") + "... (5000 bytes)"},
      {"two bytes each", Times(64, "é"), Times(64, "é")},
      {"the cut would be within", "a" + Times(64, "é"), "a" + Times(63, "é") + "... (129 bytes)"},
      {"three bytes each", Times(50, "猫"), Times(42, "猫") + "... (150 bytes)"},
      {"four bytes each", Times(33, "🐈"), Times(32, "🐈") + "... (132 bytes)"},
      {"control characters", "a\nb\tc\x7f\x1b[31m", "a\\x0ab\\x09c\\x7f\\x1b[31m"},
      {"C1 control characters",
       "\xc2\x9b"
       "1m",
       "\\xc2\\x9b1m"},
      {"NUL", std::string("a\0b", 3), "a\\x00b"},
      {"a lone continuation", "\x80", "\\x80"},
      {"half a character", "a\xc3", "a\\xc3"},
      {"overlong", "\xc0\xaf\xe0\x9f\xbf\xf0\x8f\xbf\xbf", "\\xc0\\xaf\\xe0\\x9f\\xbf\\xf0\\x8f\\xbf\\xbf"},
      {"a surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80"},
      {"beyond Unicode", "\xf4\x90\x80\x80\xf5", "\\xf4\\x90\\x80\\x80\\xf5"},
      {"the largest", "\xf4\x8f\xbf\xbf\xed\x9f\xbf", "\xf4\x8f\xbf\xbf\xed\x9f\xbf"},
      {"nothing but bad bytes", Times(5000, "\xff"), Times(128, "\\xff") + "... (5000 bytes)"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(Echo(c.text), c.echo);
  }
}

TEST(EchoTest, OfALogMoreIsKept) {
  EXPECT_EQ(Echo(Times(300, "a b"), 512), Times(170, "a b") + "a ... (900 bytes)");
  EXPECT_EQ(Echo(Times(100, "a\n"), 512), Times(100, "a\\x0a"));
}

TEST(EchoTest, QuotesStandAroundTheTextAlone) {
  EXPECT_EQ(Quoted(""), "''");
  EXPECT_EQ(Quoted("a b"), "'a b'");
  EXPECT_EQ(Quoted(Times(200, "a")), "'" + Times(128, "a") + "'... (200 bytes)");
}

TEST(EchoTest, OfAPathTheEndIsKept) {
  EXPECT_EQ(EchoPath("/models/a b.onnx"), "/models/a b.onnx");
  EXPECT_EQ(EchoPath(Times(128, "a")), Times(128, "a"));
  EXPECT_EQ(EchoPath(Times(200, "a") + "/model.onnx"), "..." + Times(117, "a") + "/model.onnx (211 bytes)");
  EXPECT_EQ(QuotedPath("a\n"), "'a\\x0a'");
  EXPECT_EQ(QuotedPath(Times(200, "a")), "'..." + Times(128, "a") + "' (200 bytes)");
  // No half a character at its beginning.
  EXPECT_EQ(EchoPath(Times(100, "\xe2\x82\xac") + "/"), "..." + Times(42, "\xe2\x82\xac") + "/ (301 bytes)");
  EXPECT_EQ(EchoPath(Times(200, "\x80")), "... (200 bytes)");
}

TEST(EchoTest, ListsEnd) {
  EXPECT_EQ(QuotedList({}), "");
  EXPECT_EQ(QuotedList({"a", "b"}), "'a', 'b'");
  const std::vector<absl::string_view> sixteen(16, "a"), many(64, "a");
  EXPECT_EQ(QuotedList(sixteen), Times(15, "'a', ") + "'a'");
  EXPECT_EQ(QuotedList(many), Times(15, "'a', ") + "'a', ... (48 more)");
}

TEST(EchoTest, WordsOfAMessageAreCutOneByOne) {
  EXPECT_EQ(EchoWords(""), "");
  EXPECT_EQ(EchoWords("two  words\nand a line "), "two  words\nand a line ");
  EXPECT_EQ(EchoWords("no field \"" + Times(300, "x") + "\" here"),
            "no field \"" + Times(127, "x") + "... (302 bytes) here");
  EXPECT_EQ(EchoWords("\x1b[2J"), "\\x1b[2J");
}

// Messages pass from one box to the next.
TEST(EchoTest, NothingIsCutTwice) {
  for (const std::string& text : {Times(200, "a"), Times(200, "\x01"), Times(100, "a b"), "/" + Times(200, "b")}) {
    for (const std::string& echo : {Echo(text), Quoted(text), EchoPath(text), QuotedPath(text)}) {
      EXPECT_EQ(EchoWords("got " + echo + " here"), "got " + echo + " here");
    }
  }
  EXPECT_EQ(EchoWords("..." + Times(5000, "a")), "..." + Times(125, "a") + "... (5003 bytes)");
}

TEST(EchoTest, ArgumentsAreCutAtTheirSpacesToo) {
  const std::string words = Times(100, "a b "), cut = Times(32, "a b ") + "... (400 bytes)";
  EXPECT_EQ(EchoArguments("got " + words + "!", {"-x", words}), "got " + cut + "!");
  EXPECT_EQ(EchoArguments("--x: got " + words, {"--x=" + words}), "--x: got " + cut);
  EXPECT_EQ(EchoArguments("got " + Times(300, "x"), {}), "got " + Times(128, "x") + "... (300 bytes)");
}

}  // namespace
}  // namespace resnetd
