#include "tests/support/image_large.h"

#include <algorithm>

#include <zlib.h>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/image_hostile.h"

namespace resnetd::image {
namespace {

using std::string_literals::operator""s;

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

}  // namespace

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
                      PngChunk("IHDR", absl::StrCat(Number(kLargeWidth, 4), Number(kLargeHeight, 4), Number(bits, 1),
                                                    Number(type, 1), "\0\0"s, Number(interlace, 1))),
                      PngChunk("IDAT", packed), PngChunk("IEND", ""));
}

// Flat: each block is its average, and no frequency. A scan that changes none is of codes of 15 bits that each skip
// 32,767 blocks.
std::string LargeJpeg(int components, bool progressive, int passes) {
  std::string frame = absl::StrCat("\x08", Number(kLargeHeight, 2), Number(kLargeWidth, 2), Number(components, 1));
  std::string scan = Number(components, 1);
  for (int c = 1; c <= components; ++c) {
    absl::StrAppend(&frame, Number(c, 1), "\x11\0"s);
    absl::StrAppend(&scan, Number(c, 1), "\0"s);
  }
  absl::StrAppend(&scan, "\0"s, progressive ? "\0"s : "\x3F", "\0"s);
  const std::string one_code("\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);  // 0
  constexpr int64_t kBlocks = kLargePixels / 64;
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

std::string LargeWebp(bool alpha) {
  const uint64_t bits = uint64_t{alpha} << 28 | uint64_t{kLargeHeight - 1} << 14 | uint64_t{kLargeWidth - 1};
  return absl::StrCat("RIFF", LittleNumber(22, 4), "WEBPVP8L", LittleNumber(9, 4), "\x2F", LittleNumber(bits, 4),
                      "\x88\x88\x08\0\0"s);
}

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

}  // namespace resnetd::image
