#include "tests/support/image_golden.h"

#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace resnetd::image {

std::string ReadGoldenFile(absl::string_view name) {
  std::ifstream in(absl::StrCat(RESNETD_GOLDEN_FOLDER, "/", name), std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  EXPECT_FALSE(bytes.empty()) << name;
  return bytes;
}

std::vector<std::istringstream> ReadGoldenTable(absl::string_view name) {
  std::vector<std::istringstream> lines;
  for (absl::string_view line : absl::StrSplit(ReadGoldenFile(name), '\n', absl::SkipEmpty())) {
    if (line[0] != '#') lines.emplace_back(std::string(line));
  }
  EXPECT_FALSE(lines.empty()) << name;
  return lines;
}

std::vector<uint8_t> GoldenPixels(absl::string_view kind, int width, int height, int channels) {
  std::vector<uint8_t> pixels(static_cast<size_t>(width) * height * channels);
  uint32_t state = 1;
  for (uint8_t& pixel : pixels) {
    state = state * 1664525 + 1013904223;
    pixel = static_cast<uint8_t>(kind == "noise" ? state >> 24 : 255 * (state >> 31));
  }
  return pixels;
}

std::string Crc(absl::Span<const std::byte> bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const std::byte byte : bytes) {
    crc ^= static_cast<uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
  }
  return absl::StrCat(absl::Hex(~crc, absl::kZeroPad8));
}

}  // namespace resnetd::image
