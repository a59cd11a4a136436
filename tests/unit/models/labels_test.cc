// Labels in the forms in which they are published, and what is said of all others.
#include "models/labels.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace resnetd {
namespace {

using Labels = std::vector<std::string>;

const Labels kTwo = {"tench", "goldfish"};

// UTF-16 with the lower byte first, of Latin letters.
std::string Utf16(const std::string& text, bool big = false) {
  std::string wide;
  for (const char c : text) wide += big ? std::string({'\0', c}) : std::string({c, '\0'});
  return wide;
}

struct Case {
  const char* what;
  std::string text;
  Labels labels;
};

const Case kForms[] = {
    {"lines", "tench\ngoldfish\n", kTwo},
    {"no end of the last line", "tench\ngoldfish", kTwo},
    {"CR and LF", "tench\r\ngoldfish\r\n", kTwo},
    {"CR at the end", "tench\r\ngoldfish\r", kTwo},
    {"a byte-order mark", "\xEF\xBB\xBFtench\ngoldfish\n", kTwo},
    {"blank lines at the end", "tench\ngoldfish\n\n \r\n\t\n", kTwo},
    {"blank lines elsewhere", "\ntench\n\ngoldfish\n", {"", "tench", "", "goldfish"}},
    {"commas", "a cat, or two\n", {"a cat, or two"}},
    {"other letters", "\xc3\xa9l\xc3\xa9phant\n", {"éléphant"}},
    {"a blank line", "\n", {}},
    {"nothing", "", {}},
    {"a mark alone", "\xEF\xBB\xBF", {}},

    {"WordNet's ids", "n01440764 tench\nn01443537 goldfish\n", kTwo},
    {"with several words", "n01440764 tench, Tinca tinca\n", {"tench, Tinca tinca"}},
    {"by a tab", "n01440764\ttench\r\nn01443537\tgoldfish\r\n", kTwo},
    {"by a comma", "n01440764,tench\nn01443537,goldfish", kTwo},
    {"ids alone", "n01440764\nn01443537\n", {"n01440764", "n01443537"}},
    {"one id", "n01440764 tench\nn0144353 goldfish\n", {"n01440764 tench", "n0144353 goldfish"}},

    {"indices", "0: tench\n1: goldfish\n", kTwo},
    {"out of order", " 1 :goldfish\r\n0: tench\r\n\r\n", kTwo},
    {"indices and ids", "0: n01440764 tench\n1: n01443537 goldfish\n", kTwo},
    {"a mark and indices",
     "\xEF\xBB\xBF"
     "0: tench\n1: goldfish",
     kTwo},
    {"a label with a colon", "0: a: b\n", {"a: b"}},
    {"times are no indices", "10:30\n11:00\n", {"10:30", "11:00"}},
    {"numbers are no indices", "0\n1\n", {"0", "1"}},
    {"counts are no indices", "0 stars\n1 star\n", {"0 stars", "1 star"}},

    {"id2label", R"({"architectures": ["R"], "id2label": {"1": "goldfish", "0": "tench"}, "label2id": {"x": 7}})",
     kTwo},
    {"its map alone", "{\n  \"0\": \"tench\",\n  \"1\": \"goldfish\"\n}\n", kTwo},
    {"label2id", R"({"model_type": "resnet", "label2id": {"goldfish": 1, "tench": 0}})", kTwo},
    {"timm's names", R"({"num_classes": 2, "label_names": ["tench", "goldfish"]})", kTwo},
    {"class_indices", "\xEF\xBB\xBF{\"goldfish\": 1, \"tench\": 0}\n\n", kTwo},
    {"labels that are numbers", R"({"1": 0, "0": 1})", {"1", "0"}},
    {"imagenet_class_index", R"({"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]})", kTwo},
    {"more than ten",
     R"({"2": "c", "10": "k", "0": "a", "1": "b", "3": "d", "4": "e", "5": "f", "6": "g", "7": "h",
                          "8": "i", "9": "j"})",
     {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}},
    {"a list", "[\"tench\",\n\"goldfish\"]", kTwo},
    {"escapes", R"({"0": "caf\u00e9", "1": "a\"b"})", {"café", "a\"b"}},
    {"brackets are no list", "[PAD]\n[UNK]\n", {"[PAD]", "[UNK]"}},
    {"no labels at all", "{}", {}},

    {"Python's dictionary", "{0: 'tench',\n 1: 'goldfish'}\n", kTwo},
    {"its quotes", "{1: \"jack-o'-lantern\", 0: 'it\\'s',}", {"it's", "jack-o'-lantern"}},
};

TEST(Labels, InEveryForm) {
  for (const Case& c : kForms) {
    const auto labels = ParseLabels(c.text, "labels.txt");
    ASSERT_TRUE(labels.ok()) << c.what << ": " << labels.status();
    EXPECT_EQ(*labels, c.labels) << c.what;
  }
}

TEST(Labels, RefusesAllOthers) {
  const std::string utf16 = "expected UTF-8 text, got UTF-16; iconv -f UTF-16 -t UTF-8 makes it that";
  const std::string form =
      "expected labels by their indices, indices by their labels, a list of labels, or one of these as \"id2label\", "
      "\"label2id\" or \"label_names\", got other JSON";
  const std::string json = "expected JSON, as it begins with {, got something else in line ";
  struct Refused {
    std::string text, message;
  };
  for (const Refused& c : {
           Refused{"\xFF\xFE" + Utf16("tench\n"), utf16},
           Refused{"\xFE\xFF" + Utf16("tench\n", true), utf16},
           Refused{Utf16("tench\n"), utf16},
           Refused{Utf16("tench\n", true), utf16},
           Refused{"\xFF\xFE\x2D\x4E\n" + std::string(1, '\0'), utf16},
           Refused{std::string("\xFF\xFE\0\0t\0\0\0", 8),
                   "expected UTF-8 text, got UTF-32; iconv -f UTF-32 -t UTF-8 makes it that"},
           Refused{"caf\xe9\n", "expected UTF-8 text, got other bytes"},
           Refused{"\xff\n", "expected UTF-8 text, got other bytes"},
           Refused{"\xc3\n", "expected UTF-8 text, got other bytes"},
           Refused{"\xed\xa0\x80\n", "expected UTF-8 text, got other bytes"},
           Refused{"1: a\n2: b\n", "expected the indices 0 to 1, each once, got 1 where 0 is next"},
           Refused{"0: a\n0: b\n", "expected the indices 0 to 1, each once, got 0 where 1 is next"},
           Refused{"0: a\n18446744073709551615: b\n",
                   "expected the indices 0 to 1, each once, got 18446744073709551615 where 1 is next"},
           Refused{R"({"0": "a", "2": "b"})", "expected the indices 0 to 1, each once, got 2 where 1 is next"},
           Refused{R"({"a": 0, "b": 0})", "expected the indices 0 to 1, each once, got 0 where 1 is next"},
           Refused{R"({"a": -1})", form},
           Refused{R"({"a": 0.5})", form},
           Refused{R"({"a": "b"})", form},
           Refused{R"({"0": "a", "x": "b"})", form},
           Refused{R"({"0": ["n01440764"]})", form},
           Refused{R"({"0": null})", form},
           Refused{R"({"model_type": "resnet"})", form},
           Refused{R"(["a", 1])", form},
           Refused{"{\n\"0\": \"a\",\n}", json + "3"},
           Refused{"{0: tench}", json + "1"},
           Refused{"{0: 'tench'", json + "1"},
           Refused{"{0: 'tench\\", json + "1"},
           Refused{"[\"a\", \"b\"", "expected JSON, as it begins with [, got something else in line 1"},
           Refused{"{\"a\": " + std::string(100'000, '['), json + "1"},
           Refused{"{\"a\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}", form},
       }) {
    EXPECT_EQ(ParseLabels(c.text, "labels.txt").status(),
              absl::InvalidArgumentError(absl::StrCat("labels.txt: ", c.message)))
        << c.text.substr(0, 100);
  }
}

TEST(Labels, AsManyAsClasses) {
  EXPECT_TRUE(CheckCount(kTwo, "labels.txt", 2).ok());
  for (const int classes : {0, 1, 3}) {
    EXPECT_EQ(CheckCount(kTwo, "labels.txt", classes),
              absl::InvalidArgumentError(absl::StrCat("labels.txt: expected ", classes,
                                                      " labels, one a line for each class of the model, got 2")));
  }
}

}  // namespace
}  // namespace resnetd
