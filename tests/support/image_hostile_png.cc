// PNG: ISO/IEC 15948. rgb8.png is signature | IHDR | IDAT | IEND, palette8.png has a PLTE too.
#include <utility>

#include <zlib.h>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/image_golden.h"
#include "tests/support/image_hostile.h"

namespace resnetd::image {
namespace {

using std::string_literals::operator""s;

constexpr absl::string_view kSignature = "\x89PNG\r\n\x1A\n";

std::string Compressed(const std::string& raw) {
  std::string packed(compressBound(raw.size()), '\0');
  uLongf size = packed.size();
  EXPECT_EQ(compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(raw.data()),
                      raw.size(), 9),
            Z_OK);
  packed.resize(size);
  return packed;
}

// Deflate without compression, the same on every machine.
std::string Stored(const std::string& raw) {
  EXPECT_LT(raw.size(), size_t{65536});
  const uint64_t sum = adler32(1, reinterpret_cast<const Bytef*>(raw.data()), static_cast<uInt>(raw.size()));
  return absl::StrCat("\x78\x01\x01", LittleNumber(raw.size(), 2), LittleNumber(~raw.size(), 2), raw, Number(sum, 4));
}

struct Ihdr {
  uint64_t width = 4, height = 3;
  int bits = 8, type = 0, compression = 0, filter = 0, interlace = 0;

  std::string content() const {
    return absl::StrCat(Number(width, 4), Number(height, 4), Number(bits, 1), Number(type, 1), Number(compression, 1),
                        Number(filter, 1), Number(interlace, 1));
  }
};

std::string Png(const Ihdr& ihdr, const std::string& chunks) {
  return absl::StrCat(kSignature, PngChunk("IHDR", ihdr.content()), chunks, PngChunk("IEND", ""));
}

const std::string kRows = "\0abcd\0efgh\0ijkl"s;  // of 4x3 grey pixels, unfiltered

std::string Idat(const std::string& raw = kRows) {
  return PngChunk("IDAT", Stored(raw));
}

std::string Grey(const std::string& before_pixels, const std::string& behind = "") {
  return Png({}, before_pixels + Idat() + behind);
}

std::string OfPalette(const std::string& before_pixels) {
  return Png({.type = 3}, before_pixels + Idat("\0\0\1\2\3\0\0\1\2\3\0\0\1\2\3"s));
}

std::string WithWrongChecksum(std::string chunk) {
  chunk.back() ^= 1;
  return chunk;
}

// A chunk whose length is told wrongly.
std::string WithLength(const std::string& chunk, uint64_t length) {
  return Number(length, 4) + chunk.substr(4);
}

std::vector<HostileFile> OfHeaders() {
  const auto of = [](const Ihdr& ihdr) { return Png(ihdr, Idat()); };
  const std::string against_format = "no encoder writes it, and the format forbids it";
  const std::string ihdr = Ihdr{}.content();
  return {
      {"png-of-nothing-but-its-signature", std::string(kSignature), "truncated PNG file"},
      {"png-that-begins-with-pixels", absl::StrCat(kSignature, Idat(), PngChunk("IHDR", ihdr), PngChunk("IEND", "")),
       "damaged PNG file: expected IHDR as the first chunk"},
      {"png-with-two-headers", Grey(PngChunk("IHDR", ihdr)), "damaged PNG file", against_format},
      {"png-with-a-header-of-12-bytes",
       absl::StrCat(kSignature, PngChunk("IHDR", ihdr.substr(0, 12)), Idat(), PngChunk("IEND", "")),
       "damaged PNG file"},
      {"png-with-a-header-of-14-bytes",
       absl::StrCat(kSignature, PngChunk("IHDR", ihdr + "x"), Idat(), PngChunk("IEND", "")), "damaged PNG file",
       against_format},
      {"png-with-a-damaged-header",
       absl::StrCat(kSignature, WithWrongChecksum(PngChunk("IHDR", ihdr)), Idat(), PngChunk("IEND", "")), "CRC error"},
      {"png-of-3-bits", of({.bits = 3}), "damaged PNG file"},
      {"png-of-32-bits", of({.bits = 32}), "damaged PNG file"},
      {"png-of-16-bit-palette", of({.bits = 16, .type = 3}), "damaged PNG file"},
      {"png-of-4-bit-rgb", of({.bits = 4, .type = 2}), "damaged PNG file"},
      {"png-of-colour-type-5", of({.type = 5}), "damaged PNG file"},
      {"png-of-compression-1", of({.compression = 1}), "damaged PNG file", against_format},
      {"png-of-filter-method-1", of({.filter = 1}), "damaged PNG file"},
      {"png-of-interlace-2", of({.interlace = 2}), "damaged PNG file"},
      {"png-of-0x0", of({.width = 0, .height = 0}), "declares 0x0 pixels, expected at least 1x1"},
      {"png-of-0x3", of({.width = 0}), "declares 0x3 pixels, expected at least 1x1"},
      {"png-of-4x0", of({.height = 0}), "declares 4x0 pixels, expected at least 1x1"},
      {"png-of-1000000x1000000", of({.width = 1'000'000, .height = 1'000'000}), "expected at most 65500 a side"},
      {"png-of-2147483647x2147483647", of({.width = 0x7FFFFFFF, .height = 0x7FFFFFFF}), "at most 65500 a side"},
      {"png-of-4294967295x4294967295", of({.width = 0xFFFFFFFF, .height = 0xFFFFFFFF}), "at most 65500 a side"},
      {"png-of-65501x1", of({.width = 65501, .height = 1}), "expected at most 65500 a side"},
      {"png-of-one-row-too-many", of({.width = 10000, .height = 5001}), "expected at most 50000000 in all"},
      {"png-of-65500x1", Png({.width = 65500, .height = 1}, Idat(std::string(65501, '\0'))), ""},
      {"png-of-1x65500", Png({.width = 1, .height = 65500}, PngChunk("IDAT", Compressed(std::string(131000, '\0')))),
       ""},
      {"png-of-1x65500-interlaced",
       Png({.width = 1, .height = 65500, .interlace = 1}, PngChunk("IDAT", Compressed(std::string(131000, '\0')))), ""},
  };
}

std::vector<HostileFile> OfPixels() {
  const std::string rows = Stored(kRows), too_few = "the compressed pixels are wrong or too few";
  const auto of = [](const std::string& idat) { return Png({}, PngChunk("IDAT", idat)); };
  std::string one_by_one, wrong_sum = rows, dictionary = rows, method = rows;
  for (const char byte : rows) one_by_one += PngChunk("IDAT", std::string(1, byte));
  wrong_sum.back() ^= 1;
  dictionary.replace(0, 2, "\x78\x20");
  method.replace(0, 2, "\x79\x15");
  const std::string half = PngChunk("IDAT", rows.substr(0, 10)), rest = PngChunk("IDAT", rows.substr(10));
  return {
      {"png-without-pixels", Png({}, ""), "damaged PNG file"},
      {"png-of-an-empty-idat", of(""), "damaged PNG file"},
      {"png-of-idats-of-a-byte", Png({}, one_by_one), ""},
      {"png-of-idats-and-empty-ones", Png({}, half + Repeated(PngChunk("IDAT", ""), 1000) + rest), ""},
      {"png-of-idats-with-text-between", Png({}, half + PngChunk("tEXt", "a\0b"s) + rest), "damaged PNG file"},
      {"png-with-a-wrong-checksum-of-pixels", Png({}, WithWrongChecksum(Idat())), ""},
      {"png-with-a-wrong-sum-of-pixels", of(wrong_sum), "damaged PNG file"},
      {"png-without-the-sum-of-pixels", of(rows.substr(0, rows.size() - 4)), ""},
      {"png-of-unknown-compression", of(method), "damaged PNG file"},
      {"png-of-a-preset-dictionary", of(dictionary), "damaged PNG file"},
      {"png-of-zeros-for-compressed-pixels", of(std::string(50, '\0')), "damaged PNG file"},
      {"png-of-ones-for-compressed-pixels", of(std::string(50, '\xFF')), "damaged PNG file"},
      {"png-of-filter-5", Png({}, Idat("\0abcd\5efgh\0ijkl"s)), "damaged PNG file"},
      {"png-of-filter-255",
       Png({}, Idat("\xFF"
                    "abcd\0efgh\0ijkl"s)),
       "damaged PNG file"},
      {"png-of-a-row-too-few", Png({}, Idat(kRows.substr(0, 10))), too_few,
       "Pillow leaves the missing rows black if the compressed data ends with a row"},
      {"png-of-a-pixel-too-few", Png({}, Idat(kRows.substr(0, 14))), too_few},
      {"png-of-a-row-too-many", Png({}, Idat(kRows + "\0mnop"s)), ""},
      {"png-bomb-of-pixels", Png({}, PngChunk("IDAT", Compressed(kRows + std::string(20'000'000, '\0')))), ""},
      {"png-that-declares-more-than-it-has",
       Png({.width = 10'000, .height = 5'000}, PngChunk("IDAT", Compressed(std::string(100'000, '\0')))), too_few},
  };
}

std::vector<HostileFile> OfPalettes() {
  const std::string four = PngChunk("PLTE", "rgbrgbrgbrgb"), grey_pixels = Idat();
  const std::string against_format = "no encoder writes it, and the format forbids it";
  return {
      {"png-of-a-palette", OfPalette(four), ""},
      {"png-without-its-palette", OfPalette(""), "damaged PNG file: Missing PLTE", against_format},
      {"png-of-a-palette-behind-the-pixels", Png({.type = 3}, grey_pixels + four), "Missing PLTE", against_format},
      {"png-of-two-palettes", OfPalette(four + four), "damaged PNG file", against_format},
      {"png-of-an-empty-palette", OfPalette(PngChunk("PLTE", "")), "damaged PNG file", against_format},
      {"png-of-a-palette-of-4-bytes", OfPalette(PngChunk("PLTE", "rgbr")), "damaged PNG file", against_format},
      {"png-of-a-palette-of-257-colours", OfPalette(PngChunk("PLTE", std::string(771, 'p'))), "damaged PNG file"},
      {"png-of-a-short-palette", OfPalette(PngChunk("PLTE", "rgb")), ""},
      {"png-with-a-damaged-palette", OfPalette(WithWrongChecksum(four)), "CRC error"},
      {"png-of-more-transparencies-than-colours", OfPalette(four + PngChunk("tRNS", std::string(256, 't'))), ""},
      {"png-of-a-transparency-without-palette", OfPalette(PngChunk("tRNS", "t") + four), ""},
      {"png-of-grey-with-a-palette", Grey(four), ""},
      {"png-of-grey-with-half-a-transparency", Grey(PngChunk("tRNS", "t")), "",
       "Pillow reads the transparent colour, which is dropped"},
  };
}

std::vector<HostileFile> OfOtherChunks() {
  const std::string text = PngChunk("tEXt", "a\0b"s), bomb = Compressed(std::string(50'000'000, '\0'));
  const std::string not_read = "Pillow reads what does not matter to pixels, and here it does not like it";
  const std::string critical = "the format says that a decoder that does not know such a chunk must refuse";
  const std::string length = "the format allows lengths up to 2147483647";
  return {
      {"png-with-a-bomb-in-ztxt", Grey(PngChunk("zTXt", "a\0\0"s + bomb)), "", not_read},
      {"png-with-a-bomb-in-itxt", Grey(PngChunk("iTXt", "a\0\1\0\0\0"s + bomb)), "", not_read},
      {"png-with-a-bomb-in-iccp", Grey(PngChunk("iCCP", "a\0\0"s + bomb)), "", not_read},
      {"png-with-a-ztxt-that-is-none", Grey(PngChunk("zTXt", "a\0\0bc"s)), ""},
      {"png-with-an-iccp-that-is-none", Grey(PngChunk("iCCP", "a\0\0bc"s)), ""},
      {"png-with-a-short-chrm", Grey(PngChunk("cHRM", "abc")), "", not_read},
      {"png-with-a-gamma-of-0", Grey(PngChunk("gAMA", std::string(4, '\0'))), ""},
      {"png-with-exif-that-is-none", Grey(PngChunk("eXIf", "abc")), ""},
      {"png-with-10-megabytes-of-text", Grey(PngChunk("tEXt", "a\0"s + std::string(10'000'000, 'b'))), ""},
      {"png-of-100000-chunks", Grey(Repeated(PngChunk("prVt", ""), 100'000)), ""},
      {"png-of-100000-texts", Grey(Repeated(text, 100'000)), ""},
      {"png-with-a-damaged-text", Grey(WithWrongChecksum(text)), "CRC error"},
      {"png-with-a-damaged-text-behind-the-pixels", Grey("", WithWrongChecksum(text)), ""},
      {"png-with-half-a-text-behind-the-pixels", Grey("", WithLength(text, 100)), "truncated PNG file"},
      {"png-with-an-unknown-chunk", Grey(PngChunk("prVt", "a")), ""},
      {"png-with-an-unknown-critical-chunk", Grey(PngChunk("PRVT", "a")), "unhandled critical chunk", critical},
      {"png-with-an-unknown-critical-chunk-behind-the-pixels", Grey("", PngChunk("PRVT", "a")), ""},
      {"png-with-a-chunk-whose-name-is-none", Grey(PngChunk("a b!", "a")), "damaged PNG file"},
      {"png-with-stray-bytes-between-chunks", Grey("stray"), "damaged PNG file"},
      {"png-with-stray-bytes-behind-the-pixels", Grey("", "stray"), ""},
      {"png-with-a-text-beyond-its-end", Grey(WithLength(text, 0x7FFFFFFF)), "truncated PNG file"},
      {"png-with-a-text-of-2147483648-bytes", Grey(WithLength(text, 0x80000000)), "damaged PNG file"},
      {"png-with-pixels-beyond-its-end", Png({}, WithLength(Idat(), 0x7FFFFFFF)), ""},
      {"png-with-pixels-of-4294967295-bytes", Png({}, WithLength(Idat(), 0xFFFFFFFF)), "damaged PNG file", length},
      {"png-without-end", absl::StrCat(kSignature, PngChunk("IHDR", Ihdr{}.content()), Idat()), ""},
      {"png-that-ends-twice", Grey("", PngChunk("IEND", "")), ""},
      {"png-that-ends-before-its-pixels", Grey(PngChunk("IEND", "")), "damaged PNG file"},
      {"png-with-an-animation", Grey(PngChunk("acTL", Number(2, 4) + Number(0, 4))), ""},
  };
}

}  // namespace

std::vector<HostileFile> HostilePngFiles() {
  std::vector<HostileFile> files;
  for (auto* part : {OfHeaders, OfPixels, OfPalettes, OfOtherChunks}) {
    for (HostileFile& file : part()) files.push_back(std::move(file));
  }
  return files;
}

}  // namespace resnetd::image
