// The decoders: the pixels Pillow gives, and the files it refuses.
#include "engine/image/decode/decode.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <jpeglib.h>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_golden.h"

namespace resnetd::image {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

struct Decoded {
  absl::Status status;
  int rows = 0;
  std::vector<uint8_t> pixels;
};

Decoded Decode(absl::string_view file, int channels, Alpha alpha = Alpha::kDrop) {
  Decoded decoded;
  const absl::StatusOr<Header> header = Sniff(AsBytes(file), Limits());
  if (!header.ok()) {
    decoded.status = header.status();
    return decoded;
  }
  const auto take = [&](const uint8_t* row) {
    ++decoded.rows;
    decoded.pixels.insert(decoded.pixels.end(), row, row + header->width * channels);
  };
  constexpr decltype(&DecodeJpeg) kDecoders[] = {DecodeJpeg, DecodePng, DecodeWebp};
  decoded.status = kDecoders[static_cast<int>(header->format)](AsBytes(file), *header, {channels, alpha}, take);
  EXPECT_TRUE(!decoded.status.ok() || decoded.rows == header->height) << decoded.rows << " rows";
  return decoded;
}

struct Golden {
  std::string name, rgb, grey;
  int width = 0, height = 0;
  size_t accepted_from = 0;
  std::string file;
};

std::vector<Golden> GoldenFiles() {
  std::vector<Golden> files;
  for (std::istringstream& line : ReadGoldenTable("decode.txt")) {
    Golden golden;
    line >> golden.name >> golden.width >> golden.height >> golden.rgb >> golden.grey >> golden.accepted_from;
    golden.file = ReadGoldenFile(golden.name);
    files.push_back(std::move(golden));
  }
  return files;
}

TEST(DecodeTest, PixelsArePillows) {
  for (const Golden& golden : GoldenFiles()) {
    const Decoded rgb = Decode(golden.file, 3), grey = Decode(golden.file, 1);
    EXPECT_TRUE(rgb.status.ok()) << golden.name << ": " << rgb.status;
    EXPECT_EQ(rgb.pixels.size(), size_t{3} * golden.width * golden.height) << golden.name;
    EXPECT_EQ(Crc(AsBytes(rgb.pixels)), golden.rgb) << golden.name;
    EXPECT_TRUE(grey.status.ok()) << golden.name << ": " << grey.status;
    EXPECT_EQ(grey.pixels.size(), size_t{1} * golden.width * golden.height) << golden.name;
    EXPECT_EQ(Crc(AsBytes(grey.pixels)), golden.grey) << golden.name;
  }
}

// The values follow Pillow's arithmetic; where nothing is transparent, it makes no difference.
TEST(DecodeTest, TransparencyIsComposedOnBlack) {
  std::map<std::string, std::pair<std::string, std::string>> on_black;
  for (std::istringstream& line : ReadGoldenTable("on_black.txt")) {
    std::string name, rgb, grey;
    line >> name >> rgb >> grey;
    on_black[name] = {rgb, grey};
  }
  EXPECT_GT(on_black.size(), 10u);
  for (const Golden& golden : GoldenFiles()) {
    const auto found = on_black.find(golden.name);
    const auto [rgb, grey] = found != on_black.end() ? found->second : std::pair(golden.rgb, golden.grey);
    EXPECT_EQ(Crc(AsBytes(Decode(golden.file, 3, Alpha::kBlack).pixels)), rgb) << golden.name;
    EXPECT_EQ(Crc(AsBytes(Decode(golden.file, 1, Alpha::kBlack).pixels)), grey) << golden.name;
  }
}

// Files cut at every length get Pillow's verdict.
TEST(DecodeTest, TruncatedFilesAreRefused) {
  for (const Golden& golden : GoldenFiles()) {
    for (size_t length = 1; length <= golden.file.size(); ++length) {
      const absl::Status status = Decode(absl::string_view(golden.file).substr(0, length), 3).status;
      if (length >= golden.accepted_from) {
        EXPECT_TRUE(status.ok()) << golden.name << " cut off at " << length << ": " << status;
      } else {
        EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << golden.name << " cut off at " << length;
        EXPECT_THAT(std::string(status.message()), HasSubstr("truncated")) << golden.name << " cut off at " << length;
      }
    }
  }
}

TEST(DecodeTest, DamagedFilesAreDecodedOrRefused) {
  std::mt19937 random(1);
  int refused = 0, decoded = 0;
  for (const Golden& golden : GoldenFiles()) {
    for (int i = 0; i < 300; ++i) {
      std::string file = golden.file;
      for (size_t changes = 1 + random() % 3; changes > 0; --changes) {
        file[random() % file.size()] = static_cast<char>(random());
      }
      const absl::Status status = Decode(file, 1 + 2 * static_cast<int>(random() % 2)).status;
      EXPECT_THAT(status.code(), AnyOf(absl::StatusCode::kOk, absl::StatusCode::kInvalidArgument)) << golden.name;
      ++(status.ok() ? decoded : refused);
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(decoded, 1000);
}

TEST(DecodeTest, DamageIsNamed) {
  using std::string_literals::operator""s;
  const std::string jpeg = ReadGoldenFile("420.jpg"), png = ReadGoldenFile("palette8.png");
  const std::string webp = ReadGoldenFile("lossy.webp"), animation = ReadGoldenFile("animated_inside.webp");
  const size_t frame = jpeg.find("\xFF\xC0"), scan = jpeg.find("\xFF\xDA"), palette = png.find("PLTE") - 4;
  std::string two_components = jpeg, two_frames = jpeg, changed = png, no_palette = png;
  two_components.replace(scan, 14, "\xFF\xDA\0\x0A\2\1\0\2\x11\0\x3F\0"s);
  two_components.replace(frame, 19, "\xFF\xC0\0\x0E\x08\0\x25\0\x2D\2\1\x22\0\2\x11\1"s);
  two_frames.insert(frame, jpeg.substr(frame, 19));
  changed[png.find("IDAT") + 20] ^= 1;
  no_palette.erase(palette, 12 + 768);
  std::string no_pixels = webp, other_canvas = ReadGoldenFile("exif.webp"), outside = animation;
  no_pixels.replace(50, 100, 100, '\xFF');
  other_canvas[24] ^= 1;
  outside[outside.find("ANMF") + 8] = 20;  // 40 columns from the left, of 45
  struct Case {
    const char* name;
    std::string file, error;
  };
  const Case cases[] = {
      {"a JPEG of two components", two_components, "expected 1, 3 or 4 colour components, got 2"},
      {"a JPEG with two frames", two_frames, "damaged JPEG file: "},
      {"a changed byte in a PNG", changed, "damaged PNG file: "},
      {"a PNG without its palette", no_palette, "Missing PLTE"},
      {"a WebP whose pixels are others", no_pixels, "damaged WebP file: its pixels cannot be decoded"},
      {"a WebP whose canvas is not the image's", other_canvas, "damaged WebP file: expected a frame"},
      {"an animation with a frame outside", outside, "damaged WebP file: expected a frame"},
  };
  for (const Case& c : cases) {
    const absl::Status status = Decode(c.file, 3).status;
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.error)) << c.name;
  }
}

// The header is read twice, by Sniff() and by the library; memory is bounded by the first.
TEST(DecodeTest, AnotherSizeThanDeclaredIsRefused) {
  for (const auto& [width, height] : {std::pair(45, 36), std::pair(44, 37)}) {
    for (const auto& [name, decode] : {std::pair("420.jpg", &DecodeJpeg), std::pair("lossy.webp", &DecodeWebp)}) {
      const std::string file = ReadGoldenFile(name);
      const Header header{.width = width, .height = height};
      const absl::Status status = decode(AsBytes(file), header, {}, [](const uint8_t*) { FAIL(); });
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
      EXPECT_THAT(std::string(status.message()), HasSubstr("more than one size")) << name;
    }
  }
}

// A grey progressive file of this many scans: the average, then one frequency a scan, coarsely; then their last bits.
std::string JpegOfScans(int scans) {
  std::vector<jpeg_scan_info> script(scans);
  for (int i = 0; i < scans; ++i) {
    const int frequency = i == 0 ? 0 : (i - 1) % 63 + 1;
    const bool refines = i > 63;
    script[i] = {1, {0}, frequency, frequency, refines ? 1 : 0, refines || i == 0 ? 0 : 1};
  }
  jpeg_compress_struct info{};
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): the library's signature
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = info.image_height = 16;
  info.input_components = 1;
  info.in_color_space = JCS_GRAYSCALE;
  jpeg_set_defaults(&info);
  info.scan_info = script.data();
  info.num_scans = scans;
  jpeg_start_compress(&info, TRUE);
  std::vector<uint8_t> pixels = GoldenPixels("noise", 16, 16, 1);
  for (int y = 0; y < 16; ++y) {
    JSAMPROW row = pixels.data() + y * 16;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string file(reinterpret_cast<char*>(bytes), size);
  std::free(bytes);
  return file;
}

TEST(DecodeTest, ProgressiveJpegMayHave100Scans) {
  for (const int scans : {1, 99, 100}) EXPECT_TRUE(Decode(JpegOfScans(scans), 3).status.ok()) << scans;
  for (const int scans : {101, 120}) {
    const absl::Status status = Decode(JpegOfScans(scans), 3).status;
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << scans;
    EXPECT_THAT(std::string(status.message()), HasSubstr("expected at most 100 scans")) << scans;
  }
}

std::string PngChunk(const std::string& kind, const std::string& content) {
  std::string length;
  for (int shift = 24; shift >= 0; shift -= 8) length += static_cast<char>(content.size() >> shift & 255);
  const uint32_t crc = static_cast<uint32_t>(std::stoul(Crc(AsBytes(kind + content)), nullptr, 16));
  std::string checksum;
  for (int shift = 24; shift >= 0; shift -= 8) checksum += static_cast<char>(crc >> shift & 255);
  return absl::StrCat(length, kind, content, checksum);
}

TEST(DecodeTest, PngChunksThatAreNotPixels) {
  struct Case {
    const char* name;
    std::string chunk, error;  // no error: accepted
  };
  std::string wrong_checksum = PngChunk("tEXt", "a");
  wrong_checksum.back() ^= 1;
  const Case cases[] = {
      {"text", PngChunk("tEXt", "a"), ""},
      {"compressed text that is no such thing", PngChunk("zTXt", std::string("a\0\0bc", 5)), ""},
      {"a colour profile that is no such thing", PngChunk("iCCP", std::string("a\0\0bc", 5)), ""},
      {"an unknown chunk that may be skipped", PngChunk("zzZz", "a"), ""},
      {"one with a wrong checksum", wrong_checksum, "CRC error"},
      {"an unknown chunk that may not be skipped", PngChunk("ZZZZ", "a"), "unhandled critical chunk"},
      {"a large one", PngChunk("tEXt", std::string(10'000'000, 'a')), ""},
  };
  for (const Case& c : cases) {
    std::string file = ReadGoldenFile("rgb8.png");
    file.insert(file.find("IDAT") - 4, c.chunk);
    const absl::Status status = Decode(file, 3).status;
    if (c.error.empty()) {
      EXPECT_TRUE(status.ok()) << c.name << ": " << status;
    } else {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.name;
      EXPECT_THAT(std::string(status.message()), HasSubstr(c.error)) << c.name;
    }
  }
}

}  // namespace
}  // namespace resnetd::image
