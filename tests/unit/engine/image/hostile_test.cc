// Files that no camera wrote: each is accepted or refused, with a reason, as Pillow accepts or refuses it.
#include "tests/support/image_hostile.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/image/image.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_golden.h"

namespace resnetd::image {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

absl::Status Preprocess(absl::string_view file) {
  static const Recipe recipe = *FindPreset("cifar10");
  static Preprocessor preprocessor;
  static std::vector<float> tensor(size_t{3} * 32 * 32);
  return preprocessor.FromFile(AsBytes(file), recipe, {tensor.data(), 32, 32, 3, 32, 1, 32 * 32});
}

// The error's code tells whose fault it is, its text what was expected of what.
void ExpectRefusal(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              ContainsRegex("^((damaged|truncated) (JPEG|PNG|WebP) file: .|the image declares .*, expected at |"
                            "expected a JPEG, PNG or WebP file, got )"));
}

// Pillow's verdict.
struct Verdict {
  std::string crc, verdicts;
};

std::map<std::string, Verdict> Verdicts(absl::string_view kind) {
  std::map<std::string, Verdict> verdicts;
  for (std::istringstream& line : ReadGoldenTable("hostile.txt")) {
    std::string what, name;
    Verdict verdict;
    line >> what >> name >> verdict.crc >> verdict.verdicts;
    if (what == kind) verdicts[name] = verdict;
  }
  return verdicts;
}

TEST(HostileTest, EachFileHasPillowsVerdict) {
  const std::vector<HostileFile> files = AllHostileFiles();
  const std::map<std::string, Verdict> verdicts = Verdicts("case");
  EXPECT_GE(files.size(), size_t{80});
  std::set<std::string> names;
  for (const HostileFile& file : files) {
    SCOPED_TRACE(file.name);
    EXPECT_TRUE(names.insert(file.name).second) << "twice";
    const absl::Status status = Preprocess(file.bytes);
    if (file.message.empty()) {
      EXPECT_TRUE(status.ok()) << status;
    } else {
      ExpectRefusal(status);
      EXPECT_THAT(std::string(status.message()), HasSubstr(file.message));
    }
    const auto verdict = verdicts.find(file.name);
    ASSERT_NE(verdict, verdicts.end()) << "Pillow has not judged it: make_hostile_golden.py";
    EXPECT_EQ(verdict->second.crc, Crc(AsBytes(file.bytes))) << "Pillow has judged another";
    const bool same = status.ok() == (verdict->second.verdicts == "accepted");
    EXPECT_EQ(same, file.unlike_pillow.empty()) << "Pillow: " << verdict->second.verdicts;
  }
  EXPECT_EQ(names.size(), verdicts.size());
}

// Flipped bits leave most files readable, with other pixels, or break them at any place.
TEST(HostileTest, FilesWithFlippedBitsHavePillowsVerdict) {
  size_t judged = 0, accepted = 0;
  for (const auto& [name, verdict] : Verdicts("flips")) {
    const std::string file = ReadGoldenFile(name);
    std::string all;
    for (uint32_t seed = 0; seed < verdict.verdicts.size(); ++seed) {
      SCOPED_TRACE(absl::StrCat(name, ", seed ", seed));
      const std::string flipped = WithFlippedBits(file, seed);
      all += flipped;
      const absl::Status status = Preprocess(flipped);
      if (!status.ok()) ExpectRefusal(status);
      ++judged;
      accepted += status.ok() ? 1 : 0;
      EXPECT_EQ(status.ok(), verdict.verdicts[seed] == '1') << status;
    }
    EXPECT_EQ(verdict.crc, Crc(AsBytes(all))) << name << ": Pillow has judged others";
  }
  EXPECT_GE(judged, size_t{10'000});
  EXPECT_GE(accepted, judged / 4);
  EXPECT_LE(accepted, judged * 3 / 4);
}

TEST(HostileTest, StrayBytesAreCounted) {
  const std::string jpeg = ReadGoldenFile("420.jpg");
  const Recipe recipe = *FindPreset("cifar10");
  const struct {
    const char* name;
    std::string file;
    int64_t stray;
  } cases[] = {
      {"none", jpeg, 0},
      {"before tables", Inserted(jpeg, "\xFF\xDB", "stray"), 5},
      {"before two segments", Inserted(Inserted(jpeg, "\xFF\xDB", "stray"), "\xFF\xC0", "stray bytes"), 16},
      {"before the end", Inserted(jpeg, "\xFF\xD9", "stray"), 0},
      {"fill bytes", Inserted(jpeg, "\xFF\xC0", std::string(100, '\xFF')), 0},
      {"behind the end", jpeg + "stray", 0},
      {"in a file that is refused", Inserted(jpeg, "\xFF\xDB", "stray").substr(0, jpeg.size() / 2), 5},
      {"another format", ReadGoldenFile("rgb8.png"), 0},
  };
  Preprocessor preprocessor;
  std::vector<float> tensor(size_t{3} * 32 * 32);
  for (const auto& c : cases) {
    EXPECT_EQ(preprocessor.FromFile(AsBytes(c.file), recipe, {tensor.data(), 32, 32, 3, 32, 1, 32 * 32}).ok(),
              c.name != std::string("in a file that is refused"))
        << c.name;
    EXPECT_EQ(preprocessor.stray_bytes(), c.stray) << c.name;
  }
}

}  // namespace
}  // namespace resnetd::image
