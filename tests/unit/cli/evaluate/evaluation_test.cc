// Tests the parts of resnetctl evaluate: the intervals, the counts, the picture, the images and their classes.
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/evaluate/confusion_picture.h"
#include "cli/evaluate/evaluation.h"
#include "cli/evaluate/labelled_images.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace resnetd::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// ---- intervals and counts ----

TEST(WilsonTest, PublishedValues) {
  struct Case {
    int64_t hits, of;
    double low, high;
  };
  // Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
  for (const Case& c : {Case{81, 263, 0.2553, 0.3662}, Case{15, 148, 0.0624, 0.1605}, Case{0, 20, 0, 0.1611},
                        Case{1, 29, 0.0061, 0.1718}, Case{0, 0, 0, 1}}) {
    const Interval interval = WilsonInterval(c.hits, c.of);
    EXPECT_NEAR(interval.low, c.low, 5e-5) << c.hits << " of " << c.of;
    EXPECT_NEAR(interval.high, c.high, 5e-5) << c.hits << " of " << c.of;
  }
}

// The ends are the shares from which the sample's is 1.96 standard deviations away.
TEST(WilsonTest, EndsSolveTheScoreTest) {
  for (const int64_t n : {1, 2, 7, 100, 10'000, 50'000'000}) {
    for (const int64_t hits : {int64_t{0}, n / 3, n / 2, n - 1, n}) {
      const Interval interval = WilsonInterval(hits, n), mirrored = WilsonInterval(n - hits, n);
      SCOPED_TRACE(absl::StrCat(hits, " of ", n));
      const double share = static_cast<double>(hits) / static_cast<double>(n);
      EXPECT_LE(interval.low, share);
      EXPECT_GE(interval.high, share);
      EXPECT_NEAR(interval.low, 1 - mirrored.high, 1e-12);
      for (const double end : {interval.low, interval.high}) {
        if (end == 0 || end == 1) continue;
        const double deviation = std::sqrt(end * (1 - end) / static_cast<double>(n));
        EXPECT_NEAR(std::abs(share - end) / deviation, 1.959964, 1e-5);
      }
    }
  }
}

TEST(EvaluationTest, CountsByClassAndConfusion) {
  Evaluation evaluation(7);
  evaluation.Add(2, {2, 1, 0, 3, 4});
  evaluation.Add(2, {1, 2, 0, 3, 4});
  evaluation.Add(2, {1, 0, 3, 4, 2});        // the fifth counts
  evaluation.Add(2, {1, 0, 3, 4, 5, 2, 6});  // the sixth does not
  evaluation.Add(2, {4, 0, 3, 1, 5});
  evaluation.Add(0, {0});
  EXPECT_EQ(evaluation.all().images, 6);
  EXPECT_EQ(evaluation.all().top1, 2);
  EXPECT_EQ(evaluation.all().top5, 4);
  EXPECT_EQ(evaluation.of_class(2).images, 5);
  EXPECT_EQ(evaluation.of_class(2).top1, 1);
  EXPECT_EQ(evaluation.of_class(2).top5, 3);
  EXPECT_EQ(evaluation.of_class(0).top1, 1);
  EXPECT_EQ(evaluation.of_class(6).images, 0);
  EXPECT_EQ(evaluation.MostConfused(2), (std::pair<int, int64_t>{1, 3}));
  EXPECT_EQ(evaluation.MostConfused(0), (std::pair<int, int64_t>{-1, 0}));
  EXPECT_EQ(evaluation.MostConfused(6), (std::pair<int, int64_t>{-1, 0}));
  const std::map<std::pair<int, int>, int64_t> confusion = {{{0, 0}, 1}, {{2, 1}, 3}, {{2, 2}, 1}, {{2, 4}, 1}};
  EXPECT_EQ(evaluation.confusion(), confusion);
}

// ---- the picture ----

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(ConfusionPictureTest, DarkerTheLargerTheShareOfTheRow) {
  Evaluation evaluation(2);
  for (int i = 0; i < 3; ++i) evaluation.Add(0, {0});
  evaluation.Add(0, {1});
  evaluation.Add(1, {1});
  const std::string svg = DrawConfusion("a <model>", evaluation, {2, {"cat", "dog"}});
  // 26 pixels a cell behind 190 for names, from 96 on; sqrt(3/4) and sqrt(1/4) of the way from white.
  EXPECT_THAT(svg, HasSubstr("<rect x=\"190.00\" y=\"96.00\" width=\"26.00\" height=\"26.00\" fill=\"#2285bc\"/>"));
  EXPECT_THAT(svg, HasSubstr("<rect x=\"216.00\" y=\"96.00\" width=\"26.00\" height=\"26.00\" fill=\"#eaaf80\"/>"));
  EXPECT_THAT(svg, HasSubstr("<rect x=\"216.00\" y=\"122.00\" width=\"26.00\" height=\"26.00\" fill=\"#0072b2\"/>"));
  EXPECT_EQ(Count(svg, "width=\"26.00\""), 3u) << "one for no images";
  for (const char* text : {">a &lt;model&gt;<", ">0  cat<", ">1  dog<", ">3<", ">80.00 % of 5 images right (95 %: "}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
}

TEST(ConfusionPictureTest, ManyClassesHaveNoNamesAndNoImagesAreNoMistake) {
  for (const auto& [classes, named, counted] :
       {std::tuple(25, true, true), {26, true, false}, {40, true, false}, {41, false, false}, {1000, false, false}}) {
    Evaluation evaluation(classes);
    for (int i = 0; i < 7; ++i) evaluation.Add(classes - 1, {3});
    const std::string svg = DrawConfusion("many", evaluation, {classes, {}});
    EXPECT_EQ(Count(svg, absl::StrCat(">", classes - 1, "  #", classes - 1, "<")), named ? 1u : 0u) << classes;
    EXPECT_EQ(Count(svg, "font-size=\"9\" text-anchor=\"middle\""), counted ? 1u : 0u) << classes;
    EXPECT_EQ(Count(svg, "fill=\"#d55e00\""), 1u) << classes;
  }
  EXPECT_THAT(DrawConfusion("none", Evaluation(2), {2, {}}), HasSubstr(">no images<"));
}

// ---- images and their classes ----

TEST(LabelledImagesTest, AFolderForEachClass) {
  const TempFolder folder;
  for (const char* file : {"dog/b.png", "cat/deep/c.jpg", "cat/a.webp", "cat/notes.txt", "top.png", "cat/._a.webp",
                           ".ipynb_checkpoints/a.png"}) {
    folder.Write(file);
  }
  const auto data = ReadLabelledImages(folder.path());
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_TRUE(data->from_folders);
  std::vector<std::string> seen;
  for (const LabelledImage& image : data->images) seen.push_back(absl::StrCat(image.name, " ", image.label));
  EXPECT_THAT(seen, ElementsAre("cat/a.webp cat", "cat/deep/c.jpg cat", "dog/b.png dog"));
  EXPECT_EQ(data->images[2].path, folder / "dog/b.png");
}

TEST(LabelledImagesTest, AList) {
  const TempFolder folder;
  folder.Write("lists/a.png");
  folder.Write("lists/list.tsv", "b c.png\tbig dog\n\na.png cat\n");
  const auto data = ReadLabelledImages(folder / "lists/list.tsv");
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_FALSE(data->from_folders);
  ASSERT_EQ(data->images.size(), 2u);
  EXPECT_EQ(data->images[0].path, "b c.png") << "not beside the list";
  EXPECT_EQ(data->images[0].label, "big dog");
  EXPECT_EQ(data->images[1].path, folder / "lists/a.png");
  EXPECT_EQ(data->images[1].name, "a.png");
}

TEST(LabelledImagesTest, NoImages) {
  const TempFolder folder;
  folder.Write("flat/a.png");
  folder.Write("empty/class/notes.txt");
  folder.Write("empty.txt", "\n");
  folder.Write("one_word.txt", "a.png\n");
  for (const auto& [name, says] : {std::pair("flat", "expected a folder for each class in"),
                                   {"empty", "beneath folder"},
                                   {"empty.txt", "no line \"path label\""},
                                   {"one_word.txt", "line 1: expected \"path label\""},
                                   {"missing", "cannot open"}}) {
    const absl::Status status = ReadLabelledImages(folder / name).status();
    EXPECT_FALSE(status.ok()) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(says));
  }
}

TEST(LabelledImagesTest, LabelsToClasses) {
  const ClassNames named = {3, {"cat", "dog", "2"}}, twins = {3, {"crane", "crane", "dog"}}, nameless = {3, {}};
  struct Case {
    const char* name;
    std::vector<std::string> labels;
    bool from_folders;
    ClassNames classes;
    std::vector<int> truth;  // empty: refused
    Reading reading;
    const char* error;
  };
  for (const Case& c : {
           Case{"labels", {"dog", "cat", "dog"}, true, named, {1, 0, 1}, Reading::kLabels, ""},
           Case{"indices", {"0", "1"}, true, named, {0, 1}, Reading::kIndices, ""},
           Case{"a label that looks like an index", {"2"}, true, named, {2}, Reading::kLabels, ""},
           Case{"labels and indices", {"dog", "0"}, false, named, {1, 0}, Reading::kIndices, ""},
           Case{"indices where there are no labels", {"2", "0"}, true, nameless, {2, 0}, Reading::kIndices, ""},
           Case{"as many folders as classes", {"n2", "n1", "n9", "n1"}, true, named, {1, 0, 2, 0}, Reading::kOrder, ""},
           Case{"as many names in a list", {"n2", "n1", "n9"}, false, named, {}, Reading::kLabels, "got 'n1'"},
           Case{"fewer folders", {"n2", "n1"}, true, named, {}, Reading::kLabels, "or a class from 0 to 2, got 'n1'"},
           Case{"one folder known", {"cat", "n1", "n2"}, true, named, {}, Reading::kLabels, "got 'n1'"},
           Case{"an index too many", {"3"}, true, nameless, {}, Reading::kLabels, "got '3'"},
           Case{"less than none", {"-1"}, true, nameless, {}, Reading::kLabels, "got '-1'"},
           Case{"a name of two",
                {"crane"},
                true,
                twins,
                {},
                Reading::kLabels,
                "classes 0 and 1 are both called 'crane'"},
           Case{"its index", {"1"}, true, twins, {1}, Reading::kIndices, ""},
       }) {
    LabelledImages data{{}, c.from_folders};
    for (const std::string& label : c.labels) data.images.push_back({"a.png", "a.png", label});
    const auto truth = FindTrueClasses(data, c.classes);
    ASSERT_EQ(truth.ok(), !c.truth.empty()) << c.name << ": " << truth.status();
    if (truth.ok()) {
      EXPECT_EQ(truth->of_image, c.truth) << c.name;
      EXPECT_EQ(truth->reading, c.reading) << c.name;
    } else {
      EXPECT_THAT(std::string(truth.status().message()), HasSubstr(c.error)) << c.name;
    }
  }
}

TEST(LabelledImagesTest, NumberedFoldersAreNotInTheOrderOfTheirNames) {
  struct Case {
    const char* name;
    std::vector<std::string> folders;
    std::optional<std::pair<std::string, int>> differs;
  };
  for (const Case& c : {
           Case{"ten", {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, std::nullopt},
           Case{"eleven", {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}, std::pair("10", 2)},
           Case{"eleven of two digits",
                {"00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10"},
                std::nullopt},
           Case{"some of them", {"3", "7"}, std::pair("3", 0)},
       }) {
    LabelledImages data{{}, true};
    for (const std::string& folder : c.folders) data.images.push_back({"a.png", "a.png", folder});
    auto truth = FindTrueClasses(data, {11, {}});
    ASSERT_TRUE(truth.ok()) << c.name << ": " << truth.status();
    EXPECT_EQ(truth->reading, Reading::kIndices) << c.name;
    EXPECT_EQ(truth->image_folder_differs, c.differs) << c.name;
    for (size_t i = 0; i < c.folders.size(); ++i) EXPECT_EQ(truth->of_image[i], std::stoi(c.folders[i])) << c.name;

    data.from_folders = false;  // a list has no order to be taken for
    truth = FindTrueClasses(data, {11, {}});
    ASSERT_TRUE(truth.ok()) << c.name << ": " << truth.status();
    EXPECT_EQ(truth->image_folder_differs, std::nullopt) << c.name;
  }
}

}  // namespace
}  // namespace resnetd::cli
