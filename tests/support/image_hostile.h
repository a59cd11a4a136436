#ifndef RESNETD_TESTS_SUPPORT_IMAGE_HOSTILE_H_
#define RESNETD_TESTS_SUPPORT_IMAGE_HOSTILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// Files that no camera wrote, made in code from those of tests/golden/data/image. What Pillow says to each stands in
// tests/golden/data/image/hostile.txt, written by tests/golden/make/make_hostile_golden.py from the same code.
namespace resnetd::image {

struct HostileFile {
  std::string name;  // unique, without spaces: "jpeg-of-12-bits"
  std::string bytes;
  std::string message;  // of the refusal, in part; empty: accepted
  // Why Pillow's verdict is another; empty: it is the same.
  std::string unlike_pillow = {};
};

std::vector<HostileFile> OtherFiles();  // neither format, two formats at once, what follows an image
std::vector<HostileFile> HostileJpegFiles();
std::vector<HostileFile> HostilePngFiles();
std::vector<HostileFile> HostileWebpFiles();
std::vector<HostileFile> AllHostileFiles();

// `file` with one to three bits turned over, chosen by `seed`. Of each file in tests/golden/data/image Pillow has
// judged those of the seeds from 0 on, kFlippingSeeds of them.
std::string WithFlippedBits(std::string file, uint32_t seed);
constexpr uint32_t kFlippingSeeds = 200;

// Pieces. All numbers big-endian but where a name says otherwise.
std::string Number(uint64_t value, int bytes);
std::string LittleNumber(uint64_t value, int bytes);
std::string Repeated(absl::string_view text, size_t times);
std::string Replaced(absl::string_view file, absl::string_view from, absl::string_view to);  // the first; it is there
std::string Inserted(absl::string_view file, absl::string_view before, absl::string_view what);
std::string JpegSegment(int marker, absl::string_view content);
std::string PngChunk(absl::string_view kind, absl::string_view content);

}  // namespace resnetd::image

#endif  // RESNETD_TESTS_SUPPORT_IMAGE_HOSTILE_H_
