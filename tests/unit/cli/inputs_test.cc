// Names on the command line: folders, lists, standard input.
#include "cli/inputs.h"

#include <iostream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace resnetd::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Stands in for standard input as long as it lives.
class StandardInput {
 public:
  explicit StandardInput(const std::string& text) : text_(text), before_(std::cin.rdbuf(text_.rdbuf())) {
    std::cin.clear();
  }
  ~StandardInput() { std::cin.rdbuf(before_); }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;

 private:
  std::istringstream text_;
  std::streambuf* const before_;
};

TEST(InputsTest, HiddenFilesAndFoldersArePassedOver) {
  const TempFolder folder;
  folder.Write("a.png", "");
  folder.Write("._a.png", "");
  folder.Write(".thumbnails/b.png", "");
  folder.Write("sub/.c.jpg", "");
  EXPECT_THAT(*ExpandInputs({folder.path()}), ElementsAre(folder / "a.png"));
  // A hidden file that is named is taken.
  EXPECT_THAT(*ExpandInputs({folder / "._a.png", folder / ".thumbnails"}),
              ElementsAre(folder / "._a.png", folder / ".thumbnails/b.png"));
}

TEST(InputsTest, AListHasAPathALine) {
  const TempFolder folder;
  folder.Write("a.png", "");
  folder.Write("list.txt",
               "\xEF\xBB\xBF"
               "x y.png\r\n\n  \r\nmissing.png\n-\n z.png");
  const std::string list = folder / "list.txt";
  EXPECT_THAT(*ReadPathList(list), ElementsAre("x y.png", "missing.png", "./-", " z.png"));
  EXPECT_THAT(*ImagesOf({{folder.path()}, list}),
              ElementsAre(folder / "a.png", "x y.png", "missing.png", "./-", " z.png"));
}

TEST(InputsTest, AListMayComeByStandardInput) {
  const StandardInput in("b.png\na.png\n");
  EXPECT_THAT(*ImagesOf({{}, "-"}), ElementsAre("b.png", "a.png"));
}

TEST(InputsTest, OneImageMayComeByStandardInput) {
  const std::string bytes("\x89PNG\r\n\0\xFF", 8);
  {
    const StandardInput in(bytes);
    EXPECT_THAT(*ExpandInputs({"-", "a.png"}), ElementsAre("-", "a.png"));
    EXPECT_EQ(*ReadImageFile("-"), bytes);
  }
  const StandardInput nothing("");
  EXPECT_EQ(ReadImageFile("-").status().message(), "expected an image on standard input, got nothing");
}

TEST(InputsTest, AListedImagesErrorDoesNotRepeatItsName) {
  const TempFolder folder;
  EXPECT_EQ(ReadListedImage(folder / "a.png").status().message(), "cannot open: No such file or directory");
  EXPECT_EQ(ReadListedImage(folder.path()).status().message(), "expected a regular file, got a folder");
  folder.Write("b.png", "bytes");
  EXPECT_EQ(*ReadListedImage(folder / "b.png"), "bytes");
}

TEST(InputsTest, MistakesAreNamed) {
  const TempFolder folder;
  folder.Write("empty.txt", "\n \n");
  const struct {
    ImageArguments arguments;
    std::string says;
  } kCases[] = {
      {{}, "expected images: files, folders, - or --from-file LIST, got none"},
      {{{"-", "-"}, ""}, "expected - once"},
      {{{"-"}, "-"}, "--from-file: expected a file's name beside the image -, got - too"},
      {{{}, folder / "empty.txt"}, absl::StrCat("--from-file: expected a path a line in ", folder / "empty.txt")},
      {{{}, folder / "none.txt"}, absl::StrCat("--from-file: cannot open ", folder / "none.txt")},
  };
  for (const auto& [arguments, says] : kCases) {
    EXPECT_THAT(ImagesOf(arguments).status().message(), HasSubstr(says));
  }
}

}  // namespace
}  // namespace resnetd::cli
