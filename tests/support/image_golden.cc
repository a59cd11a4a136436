#include "tests/support/image_golden.h"

#include <array>
#include <fstream>
#include <iterator>
#include <utility>

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

Interpolation InterpolationByName(absl::string_view name) {
  constexpr std::pair<absl::string_view, Interpolation> kNames[] = {
      {"nearest", Interpolation::kNearest},          {"bilinear", Interpolation::kBilinear},
      {"bicubic", Interpolation::kBicubic},          {"bilinear_cv2", Interpolation::kBilinearCv2},
      {"bilinear_tf2", Interpolation::kBilinearTf2},
  };
  for (const auto& [known, interpolation] : kNames) {
    if (name == known) return interpolation;
  }
  ADD_FAILURE() << "no interpolation is called " << name;
  return {};
}

std::string Crc(absl::Span<const std::byte> bytes) {
  static constexpr std::array<uint32_t, 256> kOfByte = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
      table[byte] = byte;
      for (int bit = 0; bit < 8; ++bit)
        table[byte] = table[byte] & 1 ? table[byte] >> 1 ^ 0xEDB88320 : table[byte] >> 1;
    }
    return table;
  }();
  uint32_t crc = 0xFFFFFFFF;
  for (const std::byte byte : bytes) crc = kOfByte[(crc ^ static_cast<uint32_t>(byte)) & 0xFF] ^ crc >> 8;
  return absl::StrCat(absl::Hex(~crc, absl::kZeroPad8));
}

}  // namespace resnetd::image
