// What decoding takes, measured: memory in proportion to the pixels that the header declares and never more, whatever
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

#include <zlib.h>

#include "absl/strings/str_cat.h"
#include "engine/image/image.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/image_golden.h"
#include "tests/unit/image_hostile.h"

namespace resnetd::image {
namespace {

using ::testing::HasSubstr;
using std::string_literals::operator""s;

// Beside the pixels: the libraries' tables, a few rows, the pages of code that are touched for the first time.
constexpr int64_t kConstant = int64_t{24} << 20;
constexpr rlim_t kSeconds = 10;  // of the processor; most files take a hundredth of one

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasures = false;  // the sanitizers' own memory would be measured
#else
constexpr bool kMeasures = true;
#endif

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

constexpr int kWidth = 10'000, kHeight = 5'000;  // as many pixels as may be
constexpr int64_t kPixels = int64_t{kWidth} * kHeight;

std::string LargePng(int bits, int type, int interlace, size_t raw_bytes) {
  std::string packed(raw_bytes / 500 + 100, '\0');
  const std::string zeros(1 << 20, '\0');
  z_stream stream{};
  EXPECT_EQ(deflateInit(&stream, 9), Z_OK);
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  for (size_t left = raw_bytes; left > 0; left -= std::min(left, zeros.size())) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(zeros.data()));
    stream.avail_in = static_cast<uInt>(std::min(left, zeros.size()));
    EXPECT_EQ(deflate(&stream, left <= zeros.size() ? Z_FINISH : Z_NO_FLUSH),
              left <= zeros.size() ? Z_STREAM_END : Z_OK);
  }
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return absl::StrCat("\x89PNG\r\n\x1A\n",
                      PngChunk("IHDR", absl::StrCat(Number(kWidth, 4), Number(kHeight, 4), Number(bits, 1),
                                                    Number(type, 1), "\0\0"s, Number(interlace, 1))),
                      PngChunk("IDAT", packed), PngChunk("IEND", ""));
}

// Of one colour. `progressive`: the averages of all blocks in a first scan, then `passes` scans that change none of the
// frequencies, though the decoder looks at all of them: codes of 15 bits that each skip 32,767 blocks.
std::string LargeJpeg(int components, bool progressive, int passes = 0) {
  std::string frame = absl::StrCat("\x08", Number(kHeight, 2), Number(kWidth, 2), Number(components, 1));
  std::string scan = Number(components, 1);
  for (int c = 1; c <= components; ++c) {
    absl::StrAppend(&frame, Number(c, 1), "\x11\0"s);
    absl::StrAppend(&scan, Number(c, 1), "\0"s);
  }
  absl::StrAppend(&scan, "\0"s, progressive ? "\0"s : "\x3F", "\0"s);
  const std::string one_code("\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);  // 0
  constexpr int64_t kBlocks = kPixels / 64;
  std::string unchanged;
  for (int64_t codes = 0; codes <= kBlocks / 32'767; codes += 8) {
    unchanged += "\x7F\xFE\xFF\0\xFD\xFF\0\xFB\xFF\0\xF7\xFF\0\xEF\xFF\0\xDF\xFF\0\xBF\xFF\0"s;
  }
  std::string file = absl::StrCat(
      "\xFF\xD8", JpegSegment(0xDB, absl::StrCat("\0"s, std::string(64, '\x10'))),
      JpegSegment(progressive ? 0xC2 : 0xC0, frame), JpegSegment(0xC4, absl::StrCat("\0"s, one_code, "\0"s)),
      JpegSegment(0xC4, absl::StrCat("\x10", one_code, "\0"s)),
      JpegSegment(0xC4, absl::StrCat("\x13", one_code, "\xE0")), JpegSegment(0xDA, scan),
      std::string(static_cast<size_t>(kBlocks) * components / (progressive ? 8 : 4) + 2, 0));
  for (int i = 0; i < passes; ++i) {
    const std::string one_component = absl::StrCat("\1", Number(i % components + 1, 1), "\3\1\x3F\x10"s);
    absl::StrAppend(&file, JpegSegment(0xDA, one_component), unchanged);
  }
  return file + "\xFF\xD9";
}

// Lossless, of one colour.
std::string LargeWebp(bool alpha) {
  const uint64_t bits = uint64_t{alpha} << 28 | uint64_t{kHeight - 1} << 14 | uint64_t{kWidth - 1};
  return absl::StrCat("RIFF", LittleNumber(22, 4), "WEBPVP8L", LittleNumber(9, 4), "\x2F", LittleNumber(bits, 4),
                      "\x88\x88\x08\0\0"s);
}

// Bits from the lowest of each byte on, as WebP's lossless format has them.
class BitWriter {
 public:
  void Put(uint64_t value, int bits) {
    for (int i = 0; i < bits; ++i, ++count_) {
      if (count_ % 8 == 0) bytes_ += '\0';
      bytes_.back() = static_cast<char>(bytes_.back() | (value >> i & 1) << count_ % 8);
    }
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  int count_ = 0;
};

// A code for bytes of 8 bits each; the other symbols of the alphabet, `more` of them, have none.
void PutByteCode(BitWriter& out, int more) {
  out.Put(0, 1);  // not one of one or two symbols
  out.Put(8, 4);  // how the lengths are coded: 12 lengths of 3 bits, in the order 17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8
  for (const int length : {0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}) out.Put(length, 3);
  out.Put(0, 1);
  for (int i = 0; i < 256; ++i) out.Put(0, 1);                                        // length 8
  for (; more > 0; more -= 138) out.Put(1, 1), out.Put(std::min(more, 138) - 11, 7);  // as many lengths of 0
}

void PutCodeOfOneSymbol(BitWriter& out) {
  out.Put(1, 4);
}

// A lossless file of one megapixel in which each 4x4 pixels have five codes of their own, 65,536 times.
std::string WebpOfTables() {
  constexpr int kSide = 1024, kTables = 65'536;
  BitWriter out;
  out.Put(0x2F, 8);
  out.Put(kSide - 1, 14), out.Put(kSide - 1, 14), out.Put(0, 4);
  out.Put(0, 2);  // no transform, no cache of colours
  out.Put(1, 1);  // codes by block, of 4x4 pixels
  out.Put(0, 3);
  out.Put(0, 1);  // an image that says which block has which
  PutByteCode(out, 24), PutByteCode(out, 0);
  for (int i = 0; i < 3; ++i) PutCodeOfOneSymbol(out);
  const auto reversed = [](int byte) {
    int bits = 0;
    for (int i = 0; i < 8; ++i) bits |= (byte >> i & 1) << (7 - i);
    return static_cast<uint64_t>(bits);
  };
  for (int i = 0; i < kTables; ++i) out.Put(reversed(i & 255), 8), out.Put(reversed(i >> 8), 8);
  for (int i = 0; i < 5 * kTables; ++i) PutCodeOfOneSymbol(out);
  const std::string padding(out.bytes().size() % 2, '\0');
  const std::string chunk = absl::StrCat("VP8L", LittleNumber(out.bytes().size(), 4), out.bytes(), padding);
  return absl::StrCat("RIFF", LittleNumber(chunk.size() + 4, 4), "WEBP", chunk);
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
    EXPECT_LE(decoding.peak_bytes, static_cast<int64_t>(c.bytes_a_pixel * kPixels) + kConstant);
  }
  std::cout << c.what << ": file " << c.file.size() / 1024 << " KiB, at most " << decoding.peak_bytes / 1024 << " KiB, "
            << decoding.seconds << " s: " << decoding.message << "\n";
}

TEST(ImageMemory, OfAsManyPixelsAsMayBe) {
  const std::string lying = "Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"s;
  constexpr size_t kRaw = kPixels;
  const MemoryCase cases[] = {
      {"JPEG", LargeJpeg(3, false), 0},
      {"JPEG, turned upright", Inserted(LargeJpeg(3, false), "\xFF\xDB", JpegSegment(0xE1, lying)), 3, "OK",
       Orientation::kApply},
      {"JPEG, progressive", LargeJpeg(3, true), 6},
      {"JPEG, progressive, of four inks", LargeJpeg(4, true), 8},
      {"JPEG of 100 scans", LargeJpeg(3, true, 99), 6},
      {"PNG of 1 bit", LargePng(1, 0, 0, kRaw / 8 + kHeight), 0},
      {"PNG of 64 bits", LargePng(16, 6, 0, kRaw * 8 + kHeight), 0},
      {"PNG, interlaced", LargePng(8, 2, 1, kRaw * 3 + 3 * kHeight), 3},
      {"PNG, interlaced, composed on black", LargePng(8, 6, 1, kRaw * 4 + 3 * kHeight), 4, "OK", Orientation::kIgnore,
       Alpha::kBlack},
      {"WebP of one colour", LargeWebp(false), 8},
      {"WebP of one colour, composed on black", LargeWebp(true), 8, "OK", Orientation::kIgnore, Alpha::kBlack},
  };
  for (const MemoryCase& c : cases) CheckMemory(c);
}

// What the limit of pixels does not bound, but the format: less than the pixels may take, and beside them.
TEST(ImageMemory, OfAWebpOfTables) {
  CheckMemory({"WebP of 65,536 tables", WebpOfTables(), 8});
}

// A lack of memory is not the file's fault. (That damage is no lack of memory, which libwebp 1.5 takes it for, is among
// the hostile files: webp-of-alpha-that-is-none.)
TEST(ImageMemory, TooLittleIsTold) {
  if (!kMeasures) GTEST_SKIP() << "the sanitizers reserve more than may be left";
  const Recipe recipe = *FindPreset("cifar10");
  const std::string webp = LargeWebp(false), lacking = "not enough memory to decode the image";
  EXPECT_EQ(Measure(webp, recipe, 8 * kPixels + kConstant).message, "OK");
  EXPECT_EQ(Measure(webp, recipe, 6 * kPixels).message, lacking);  // 3 for the canvas, 4 for the library's pixels
}

TEST(ImageMemory, OfHostileFiles) {
  for (const HostileFile& file : AllHostileFiles()) {
    CheckMemory({file.name.c_str(), file.bytes, 0, file.message.empty() ? "OK" : file.message.c_str()});
  }
}

}  // namespace
}  // namespace resnetd::image
