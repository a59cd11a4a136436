// WebP: RFC 9649. All numbers in it are little-endian.
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/support/image_golden.h"
#include "tests/support/image_hostile.h"

namespace resnetd::image {
namespace {

using std::string_literals::operator""s;

std::string Chunk(absl::string_view kind, absl::string_view content) {
  return absl::StrCat(kind, LittleNumber(content.size(), 4), content, content.size() % 2 == 0 ? "" : "\0"s);
}

std::string Riff(absl::string_view chunks) {
  return absl::StrCat("RIFF", LittleNumber(chunks.size() + 4, 4), "WEBP", chunks);
}

// The chunks of a file.
std::string Chunks(const std::string& file) {
  return file.substr(12);
}

std::string Canvas(int flags, uint64_t width, uint64_t height) {
  return Chunk("VP8X",
               absl::StrCat(Number(flags, 1), "\0\0\0"s, LittleNumber(width - 1, 3), LittleNumber(height - 1, 3)));
}

// Lossless: signature, 14 bits each of width - 1 and height - 1, then "\x88\x88\x08", an image of one colour: no
// transform, no cache, and five codes of one symbol, which take no bits for any pixel.
std::string OfOneColour(uint64_t width, uint64_t height) {
  return Riff(
      Chunk("VP8L", absl::StrCat("\x2F", LittleNumber((height - 1) << 14 | (width - 1), 4), "\x88\x88\x08\0"s)));
}

std::vector<HostileFile> OfContainers() {
  const std::string lossy = ReadGoldenFile("lossy.webp"), lossless = ReadGoldenFile("lossless.webp");
  const std::string animation = ReadGoldenFile("animated.webp");
  const auto with_size = [](const std::string& file, uint64_t size) {
    return file.substr(0, 4) + LittleNumber(size, 4) + file.substr(8);
  };
  return {
      {"webp-of-size-0", with_size(lossy, 0), "damaged WebP file"},
      {"webp-of-size-12", with_size(lossy, 12), "damaged WebP file"},
      {"webp-of-a-byte-less-than-it-has", with_size(lossy, lossy.size() - 9), "damaged WebP file"},
      {"webp-of-a-byte-more-than-it-has", with_size(lossy, lossy.size() - 7), "truncated WebP file"},
      {"webp-of-4294967295-bytes", with_size(lossy, 0xFFFFFFFF), "truncated WebP file"},
      {"webp-of-no-chunks", Riff(""), "truncated WebP file"},
      {"webp-of-an-unknown-chunk", Riff(Chunk("abcd", std::string(50, 'a'))), "expected an image as the first chunk"},
      {"webp-of-an-unknown-chunk-and-an-image", Riff(Chunk("abcd", "abcd") + Chunks(lossy)),
       "expected an image as the first chunk"},
      {"webp-of-an-image-and-an-unknown-chunk", Riff(Chunks(lossy) + Chunk("abcd", "abcd")), ""},
      {"webp-of-two-images", Riff(Chunks(lossy) + Chunks(lossy)), ""},
      {"webp-of-a-canvas", Riff(Canvas(0, 45, 37)), "damaged WebP file"},
      {"webp-of-a-canvas-and-an-image", Riff(Canvas(0, 45, 37) + Chunks(lossy)), ""},
      {"webp-of-a-canvas-and-a-smaller-image", Riff(Canvas(0, 46, 37) + Chunks(lossy)), "damaged WebP file"},
      {"webp-of-two-canvases", Riff(Canvas(0, 45, 37) + Canvas(0, 45, 37) + Chunks(lossy)), "damaged WebP file"},
      {"webp-with-a-profile-that-is-none", Riff(Canvas(0x20, 45, 37) + Chunk("ICCP", "abc") + Chunks(lossy)), ""},
      {"webp-with-exif-that-is-none", Riff(Canvas(0x08, 45, 37) + Chunks(lossy) + Chunk("EXIF", "abc")), ""},
      {"webp-of-10000-chunks", Riff(Canvas(0, 45, 37) + Repeated(Chunk("abcd", ""), 10'000) + Chunks(lossy)), ""},
      {"webp-that-says-it-is-animated", Riff(Canvas(0x02, 45, 37) + Chunks(lossy)), "damaged WebP file"},
      {"webp-of-no-frames", Riff(Canvas(0x02, 45, 37) + Chunk("ANIM", std::string(6, '\0'))), "damaged WebP file"},
      {"webp-of-alpha-that-is-none", Riff(Canvas(0x10, 45, 37) + Chunk("ALPH", "\1abcdefgh") + Chunks(lossy)),
       "damaged WebP file"},
      {"webp-of-half-an-animation", animation.substr(0, animation.size() / 2), "truncated WebP file"},
  };
}

std::vector<HostileFile> OfPixels() {
  const std::string lossy = ReadGoldenFile("lossy.webp"), lossless = ReadGoldenFile("lossless.webp");
  const std::string frame_start = "\x9D\x01\x2A";
  const size_t size = lossy.find(frame_start) + 3;
  const auto with_size = [&](uint64_t width, uint64_t height) {
    return lossy.substr(0, size) + LittleNumber(width, 2) + LittleNumber(height, 2) + lossy.substr(size + 4);
  };
  std::string not_key = lossy, no_start = lossless, version = lossless;
  not_key[20] ^= 1;
  no_start[20] = '.';
  version[24] = static_cast<char>(version[24] | 0xE0);
  return {
      {"webp-of-0x0", with_size(0, 0), "declares 0x0 pixels, expected at least 1x1"},
      {"webp-of-0x37", with_size(0, 37), "declares 0x37 pixels, expected at least 1x1"},
      {"webp-of-16383x16383", with_size(16383, 16383), "expected at most 50000000 in all"},
      {"webp-lossless-of-16384x16384", OfOneColour(16384, 16384), "expected at most 50000000 in all"},
      {"webp-canvas-of-16777216x16777216", Riff(Canvas(0x02, 16'777'216, 16'777'216)), "at most 65500 a side"},
      {"webp-of-more-rows-than-it-has", with_size(45, 4000), "damaged WebP file"},
      {"webp-of-other-columns", with_size(90, 37), "damaged WebP file"},
      {"webp-of-one-colour", OfOneColour(7, 5), ""},
      {"webp-of-one-colour-16384x1", OfOneColour(16384, 1), ""},
      {"webp-of-one-colour-1x16384", OfOneColour(1, 16384), ""},
      {"webp-without-its-frame-start", Replaced(lossy, frame_start, "\x9D\x01\x2B"), "expected an image as the first"},
      {"webp-without-its-lossless-start", no_start, "expected an image as the first chunk"},
      {"webp-that-is-no-key-frame", not_key, "damaged WebP file"},
      {"webp-of-lossless-version-7", version, "damaged WebP file"},
      {"webp-of-zeros-for-pixels", lossy.substr(0, size + 4) + std::string(lossy.size() - size - 4, '\0'), ""},
      {"webp-of-ones-for-pixels", lossy.substr(0, size + 4) + std::string(lossy.size() - size - 4, '\xFF'),
       "damaged WebP file"},
      {"webp-lossless-of-zeros-for-pixels", lossless.substr(0, 25) + std::string(lossless.size() - 25, '\0'),
       "damaged WebP file"},
      {"webp-lossless-of-ones-for-pixels", lossless.substr(0, 25) + std::string(lossless.size() - 25, '\xFF'),
       "damaged WebP file"},
  };
}

}  // namespace

std::vector<HostileFile> HostileWebpFiles() {
  std::vector<HostileFile> files;
  for (auto* part : {OfContainers, OfPixels}) {
    for (HostileFile& file : part()) files.push_back(std::move(file));
  }
  return files;
}

}  // namespace resnetd::image
