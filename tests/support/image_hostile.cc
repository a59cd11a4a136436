#include "tests/support/image_hostile.h"

#include <utility>

#include <zlib.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/image_golden.h"

namespace resnetd::image {

using std::string_literals::operator""s;

std::string Number(uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 255);
  return text;
}

std::string LittleNumber(uint64_t value, int bytes) {
  std::string text = Number(value, bytes);
  return {text.rbegin(), text.rend()};
}

std::string Repeated(absl::string_view text, size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (size_t i = 0; i < times; ++i) all.append(text.data(), text.size());
  return all;
}

std::string Replaced(absl::string_view file, absl::string_view from, absl::string_view to) {
  std::string changed(file);
  const size_t at = changed.find(std::string(from));
  EXPECT_NE(at, changed.npos) << absl::CHexEscape(from);
  return at == changed.npos ? changed : changed.replace(at, from.size(), std::string(to));
}

std::string Inserted(absl::string_view file, absl::string_view before, absl::string_view what) {
  return Replaced(file, before, absl::StrCat(what, before));
}

std::string JpegSegment(int marker, absl::string_view content) {
  return absl::StrCat("\xFF", std::string(1, static_cast<char>(marker)), Number(content.size() + 2, 2), content);
}

std::string PngChunk(absl::string_view kind, absl::string_view content) {
  const std::string checked = absl::StrCat(kind, content);
  const uint64_t crc = crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()));
  return absl::StrCat(Number(content.size(), 4), checked, Number(crc, 4));
}

std::string WithFlippedBits(std::string file, uint32_t seed) {
  uint64_t state = seed;
  const auto random = [&state] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state >> 33);
  };
  random();
  for (uint32_t flips = 1 + random() % 3; flips > 0; --flips) {
    const size_t bit = random() % (8 * file.size());
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ 1 << bit % 8);
  }
  return file;
}

namespace {

std::vector<HostileFile> OfOtherFormats() {
  const std::string kNone = "expected a JPEG, PNG or WebP file";
  const std::string jpeg = ReadGoldenFile("420.jpg"), png = ReadGoldenFile("rgb8.png");
  return {
      {"nothing", "", kNone},
      {"one-byte", "\xFF", "truncated JPEG file"},
      {"two-bytes-of-a-jpeg", "\xFF\xD8", "truncated JPEG file"},
      {"two-bytes-of-a-jpeg-and-another", "\xFF\xD8\x01", kNone},
      {"one-byte-of-a-png", "\x89", "truncated PNG file"},
      {"four-bytes-of-a-webp", "RIFF", "truncated WebP file"},
      {"text", "a cat, sitting on a mat", kNone},
      {"zeros", std::string(100, '\0'), kNone},
      {"ones", std::string(100, '\xFF'), kNone},
      {"gif", "GIF89a\1\0\1\0\x80\0\0\0\0\0\xFF\xFF\xFF,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"s, kNone},
      {"bmp", "BM\x3A\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\1\0\0\0\1\0\0\0\1\0\x18\0"s, kNone},
      {"tiff", "II*\0\x08\0\0\0\0\0"s, kNone},
      {"ico", "\0\0\1\0\1\0\1\1\0\0\1\0\x20\0\x30\0\0\0\x16\0\0\0"s, kNone},
      {"heif",
       "\0\0\0\x18"
       "ftypheic\0\0\0\0heicmif1"s,
       kNone},
      {"avif",
       "\0\0\0\x18"
       "ftypavif\0\0\0\0avifmif1"s,
       kNone},
      {"jpeg-2000", "\0\0\0\x0CjP  \r\n\x87\n"s, kNone},
      {"jpeg-xl", "\xFF\x0A\xFA\x1F\x01\x90"s, kNone},
      {"svg", "<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>", kNone},
      {"html", "<html><img src='data:image/jpeg;base64,/9j/'></html>", kNone},
      {"pdf", "%PDF-1.7\n%\xE2\xE3\xCF\xD3\n", kNone},
      {"zip", "PK\3\4\x14\0\0\0\x08\0"s, kNone},
      {"elf",
       "\x7F"
       "ELF\2\1\1\0"s,
       kNone},
      {"wave", "RIFF\x24\0\0\0WAVEfmt "s, kNone},
      {"riff-of-the-other-endianness", "RIFX\0\0\0\x24WEBP"s, kNone},
      {"jpeg-as-base64", absl::Base64Escape(jpeg), kNone},
      {"jpeg-as-utf-8", absl::StrCat("\xC3\xBF\xC3\x98\xC3\xBF", jpeg.substr(3)), kNone},
      {"jpeg-behind-a-byte", absl::StrCat("\n", jpeg), kNone},
      {"png-with-line-ends-converted", Replaced(png, "\r\n\x1A\n", "\n\x1A\n"), kNone},
      {"png-with-7-bits", Replaced(png, "\x89PNG", "\x09PNG"), kNone},
  };
}

// Valid as one thing and as another, and what stands behind an image.
std::vector<HostileFile> OfTwoFormats() {
  const std::string jpeg = ReadGoldenFile("420.jpg"), png = ReadGoldenFile("rgb8.png");
  const std::string webp = ReadGoldenFile("lossy.webp");
  const std::string zip = "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"s, megabyte(1'000'000, '\0');
  const std::string script = "<script>alert(1)</script><?php system('id'); ?>";
  return {
      {"jpeg-and-zip", jpeg + zip, ""},
      {"png-and-zip", png + zip, ""},
      {"webp-and-zip", webp + zip, ""},
      {"zip-and-jpeg", zip + jpeg, "expected a JPEG, PNG or WebP file"},
      {"gif-and-png", "GIF89a\1\0\1\0\0\0\0;"s + png, "expected a JPEG, PNG or WebP file"},
      {"jpeg-and-jpeg", jpeg + ReadGoldenFile("444.jpg"), ""},
      {"jpeg-and-half-a-jpeg", jpeg + jpeg.substr(0, jpeg.size() / 2), ""},
      {"jpeg-and-png", jpeg + png, ""},
      {"png-and-jpeg", png + jpeg, ""},
      {"png-and-png", png + png, ""},
      {"script-in-a-jpeg", Inserted(jpeg, "\xFF\xDB", JpegSegment(0xFE, script)), ""},
      {"script-in-a-png",
       Inserted(png, png.substr(png.find("IDAT") - 4, 8), PngChunk("tEXt", absl::StrCat("Comment\0"s, script))), ""},
      {"png-in-a-jpeg", Inserted(jpeg, "\xFF\xDB", JpegSegment(0xED, png)), ""},
      {"jpeg-in-a-png", Inserted(png, png.substr(png.find("IDAT") - 4, 8), PngChunk("prVt", jpeg)), ""},
      {"jpeg-and-a-byte", jpeg + "\n", ""},
      {"jpeg-and-a-megabyte", jpeg + megabyte, ""},
      {"png-and-a-byte", png + "\n", ""},
      {"png-and-a-megabyte", png + megabyte, ""},
      {"webp-and-a-byte", webp + "\n", ""},
      {"webp-and-a-megabyte", webp + megabyte, ""},
  };
}

void Append(std::vector<HostileFile>& all, std::vector<HostileFile> more) {
  for (HostileFile& file : more) all.push_back(std::move(file));
}

}  // namespace

std::vector<HostileFile> OtherFiles() {
  std::vector<HostileFile> files = OfOtherFormats();
  Append(files, OfTwoFormats());
  return files;
}

std::vector<HostileFile> AllHostileFiles() {
  std::vector<HostileFile> files = OtherFiles();
  Append(files, HostileJpegFiles());
  Append(files, HostilePngFiles());
  Append(files, HostileWebpFiles());
  return files;
}

}  // namespace resnetd::image
