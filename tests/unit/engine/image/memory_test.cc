// Measures the memory of decoding: it grows with the pixels that the header declares and is never more, whatever
// the file holds, and seconds. Each file is decoded in a process of its own.
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/image/image.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_golden.h"
#include "tests/support/image_hostile.h"
#include "tests/support/image_large.h"
#include "tests/support/sanitized.h"

namespace resnetd::image {
namespace {

using ::testing::HasSubstr;
using std::string_literals::operator""s;

// Beside the pixels: the libraries' tables, a few rows, the pages of code that are touched for the first time.
constexpr int64_t kConstant = int64_t{24} << 20;
constexpr rlim_t kSeconds = 10;  // of the processor; most files take a hundredth of one

constexpr bool kMeasures = !kSanitized;  // else the sanitizers' own memory would be measured

struct Decoding {
  std::string message;  // "OK", or why the file was refused
  int64_t peak_bytes = 0;
  double seconds = 0;
};

struct ProcessMemory {
  int64_t reserved = 0, resident = 0;
};

ProcessMemory Memory() {
  ProcessMemory pages;
  std::ifstream("/proc/self/statm") >> pages.reserved >> pages.resident;
  const int64_t bytes = sysconf(_SC_PAGESIZE);
  return {pages.reserved * bytes, pages.resident * bytes};
}

constexpr int64_t kUnlimited = -1;

void LeaveMemory(int64_t bytes) {
  const rlim_t most = static_cast<rlim_t>(Memory().reserved + bytes);
  const rlimit limit = {most, most};
  setrlimit(RLIMIT_AS, &limit);
}

// In the child: decodes the file, says what came of it on `out`, and how much memory it had at first.
[[noreturn]] void DecodeAndExit(const std::string& file, const Recipe& recipe, int64_t bytes_left, int out) {
  const rlimit limit = {kSeconds, kSeconds};
  setrlimit(RLIMIT_CPU, &limit);
  if (bytes_left != kUnlimited) LeaveMemory(bytes_left);
  const int64_t before = Memory().resident;
  std::vector<float> tensor(size_t{3} * 32 * 32);
  const absl::Status status =
      Preprocessor().FromFile(AsBytes(file), recipe, {tensor.data(), 32, 32, 3, 32, 1, 32 * 32});
  const std::string said = absl::StrCat(before, " ", status.ok() ? "OK" : std::string(status.message()));
  _exit(write(out, said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
}

Decoding Measure(const std::string& file, const Recipe& recipe, int64_t bytes_left = kUnlimited) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  malloc_trim(0);  // what this test has freed would be used again and not be seen
  const pid_t child = fork();
  if (child == 0) DecodeAndExit(file, recipe, bytes_left, ends[1]);
  close(ends[1]);
  std::string said;
  char part[4096];
  for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0;) said.append(part, static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  rusage usage{};
  EXPECT_EQ(wait4(child, &status, 0, &usage), child);
  EXPECT_EQ(status, 0) << (WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
  const size_t space = said.find(' ');
  if (space == std::string::npos) return {"(nothing said)"};
  return {said.substr(space + 1), usage.ru_maxrss * 1024 - std::stoll(said),
          static_cast<double>(usage.ru_utime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec) * 1e-6};
}

struct MemoryCase {
  const char* what;
  std::string file;
  double bytes_a_pixel;  // at most, beside the constant
  const char* message = "OK";
  Orientation orientation = Orientation::kIgnore;
  Alpha alpha = Alpha::kDrop;
};

void CheckMemory(const MemoryCase& c) {
  SCOPED_TRACE(c.what);
  Recipe recipe = *FindPreset("cifar10");
  recipe.orientation = c.orientation;
  recipe.alpha = c.alpha;
  const Decoding decoding = Measure(c.file, recipe);
  EXPECT_THAT(decoding.message, HasSubstr(c.message));
  if (kMeasures) {
    EXPECT_LE(decoding.peak_bytes, static_cast<int64_t>(c.bytes_a_pixel * kLargePixels) + kConstant);
  }
  std::cout << c.what << ": file " << c.file.size() / 1024 << " KiB, at most " << decoding.peak_bytes / 1024 << " KiB, "
            << decoding.seconds << " s: " << decoding.message << "\n";
}

TEST(ImageMemory, OfAsManyPixelsAsMayBe) {
  const std::string lying = "Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"s;
  constexpr size_t kRaw = kLargePixels;
  const MemoryCase cases[] = {
      {"JPEG", LargeJpeg(3, false), 0},
      {"JPEG, turned upright", Inserted(LargeJpeg(3, false), "\xFF\xDB", JpegSegment(0xE1, lying)), 3, "OK",
       Orientation::kApply},
      {"JPEG, progressive", LargeJpeg(3, true), 6},
      {"JPEG, progressive, of four inks", LargeJpeg(4, true), 8},
      {"JPEG of 100 scans", LargeJpeg(3, true, 99), 6},
      {"PNG of 1 bit", LargePng(1, 0, 0, kRaw / 8 + kLargeHeight), 0},
      {"PNG of 64 bits", LargePng(16, 6, 0, kRaw * 8 + kLargeHeight), 0},
      {"PNG, interlaced", LargePng(8, 2, 1, kRaw * 3 + 3 * kLargeHeight), 3},
      {"PNG, interlaced, composed on black", LargePng(8, 6, 1, kRaw * 4 + 3 * kLargeHeight), 4, "OK",
       Orientation::kIgnore, Alpha::kBlack},
      {"WebP of one colour", LargeWebp(false), 8},
      {"WebP of one colour, composed on black", LargeWebp(true), 8, "OK", Orientation::kIgnore, Alpha::kBlack},
  };
  for (const MemoryCase& c : cases) CheckMemory(c);
}

// The format, and not the limit of pixels, bounds these: less than the pixels may take, and beside them.
TEST(ImageMemory, OfAWebpOfTables) {
  CheckMemory({"WebP of 65,536 tables", WebpOfTables(), 8});
}

// A lack of memory is not the file's fault. (That damage is no lack of memory, which libwebp 1.5 takes it for, is among
// the hostile files: webp-of-alpha-that-is-none.)
TEST(ImageMemory, TooLittleIsTold) {
  if (!kMeasures) GTEST_SKIP() << "the sanitizers reserve more than may be left";
  const Recipe recipe = *FindPreset("cifar10");
  const std::string webp = LargeWebp(false), lacking = "not enough memory to decode the image";
  const std::string jpeg = LargeJpeg(3, true);
  EXPECT_EQ(Measure(jpeg, recipe, 6 * kLargePixels + kConstant).message, "OK");
  EXPECT_EQ(Measure(jpeg, recipe, 5 * kLargePixels).message, lacking);
  EXPECT_EQ(Measure(webp, recipe, 8 * kLargePixels + kConstant).message, "OK");
  EXPECT_EQ(Measure(webp, recipe, 6 * kLargePixels).message, lacking);  // 3 for the canvas, 4 for the library's pixels
}

TEST(ImageMemory, OfHostileFiles) {
  for (const HostileFile& file : AllHostileFiles()) {
    CheckMemory({file.name.c_str(), file.bytes, 0, file.message.empty() ? "OK" : file.message.c_str()});
  }
}

}  // namespace
}  // namespace resnetd::image
