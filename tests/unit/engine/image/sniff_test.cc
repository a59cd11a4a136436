// Tests what the first bytes of a file are taken for.
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/image/image.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_golden.h"

namespace resnetd::image {
namespace {

using ::testing::HasSubstr;
using std::string_literals::operator""s;

std::string BigEndian(int64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 255);
  return text;
}

std::string Segment(int marker, const std::string& content) {
  return absl::StrCat("\xFF", std::string(1, static_cast<char>(marker)), BigEndian(content.size() + 2, 2), content);
}

std::string FrameHeader(int width, int height, int marker = 0xC0) {
  return Segment(marker, absl::StrCat("\x08", BigEndian(height, 2), BigEndian(width, 2), "\x01\x01\x11"s, "\0"s));
}

std::string Jpeg(int width, int height) {
  return absl::StrCat("\xFF\xD8", FrameHeader(width, height));
}

std::string Png(int64_t width, int64_t height) {
  return absl::StrCat("\x89PNG\r\n\x1A\n", BigEndian(13, 4), "IHDR", BigEndian(width, 4), BigEndian(height, 4));
}

std::string LittleEndian(int64_t value, int bytes) {
  const std::string text = BigEndian(value, bytes);
  return {text.rbegin(), text.rend()};
}

std::string Riff(const std::string& kind, const std::string& content) {
  return absl::StrCat("RIFF", LittleEndian(content.size() + 12, 4), "WEBP", kind, LittleEndian(content.size(), 4),
                      content);
}

std::string LossyWebp(int width, int height, int scales = 0) {
  return Riff("VP8 ", absl::StrCat("\x10\0\0\x9D\x01\x2A"s, LittleEndian(width | scales << 14, 2),
                                   LittleEndian(height | scales << 14, 2)));
}

std::string LosslessWebp(int width, int height, int alpha = 0) {
  return Riff(
      "VP8L",
      absl::StrCat("\x2F", LittleEndian(int64_t{width - 1} | int64_t{height - 1} << 14 | int64_t{alpha} << 28, 4)));
}

std::string WebpCanvas(int width, int height) {
  return Riff("VP8X", absl::StrCat("\x10\0\0\0"s, LittleEndian(width - 1, 3), LittleEndian(height - 1, 3)));
}

struct Accepted {
  const char* name;
  std::string file;
  Format format;
  int width, height;
};

TEST(SniffTest, ReadsTheDeclaredSize) {
  const std::string app = Segment(0xE1, "Exif\0\0 and a thumbnail \xFF\xC0\0\x0B\x08\0\1\0\1\1\1\x11\0"s);
  const Accepted cases[] = {
      {"JPEG", Jpeg(640, 480), Format::kJpeg, 640, 480},
      {"JPEG, largest side", Jpeg(65500, 1), Format::kJpeg, 65500, 1},
      {"JPEG, most pixels", Jpeg(10000, 5000), Format::kJpeg, 10000, 5000},
      {"JPEG with a thumbnail in front", absl::StrCat("\xFF\xD8", app, FrameHeader(7, 9)), Format::kJpeg, 7, 9},
      {"JPEG with tables in front",
       absl::StrCat("\xFF\xD8", Segment(0xC4, "a"), Segment(0xC8, "b"), Segment(0xCC, "c"), FrameHeader(7, 9)),
       Format::kJpeg, 7, 9},
      {"JPEG with fill bytes and junk", absl::StrCat("\xFF\xD8\xFF\xFF\xFF", FrameHeader(7, 9).substr(1)),
       Format::kJpeg, 7, 9},
      {"JPEG with junk", absl::StrCat("\xFF\xD8", app, "junk\xFF\0\xFF\xD3"s, FrameHeader(7, 9)), Format::kJpeg, 7, 9},
      {"JPEG with a segment that ends in its length", absl::StrCat("\xFF\xD8\xFF\xE0\0\1"s, FrameHeader(7, 9)),
       Format::kJpeg, 7, 9},
      {"JPEG, progressive", absl::StrCat("\xFF\xD8", FrameHeader(7, 9, 0xC2)), Format::kJpeg, 7, 9},
      {"JPEG, arithmetic coding", absl::StrCat("\xFF\xD8", FrameHeader(7, 9, 0xC9)), Format::kJpeg, 7, 9},
      {"PNG", Png(640, 480), Format::kPng, 640, 480},
      {"PNG, largest side", Png(1, 65500), Format::kPng, 1, 65500},
      {"PNG, most pixels", Png(5000, 10000), Format::kPng, 5000, 10000},
      {"WebP, lossy", LossyWebp(640, 480), Format::kWebp, 640, 480},
      {"WebP, lossy, to be scaled", LossyWebp(640, 480, 3), Format::kWebp, 640, 480},
      {"WebP, lossy, largest side", LossyWebp(1, 16383), Format::kWebp, 1, 16383},
      {"WebP, lossless", LosslessWebp(640, 480), Format::kWebp, 640, 480},
      {"WebP, lossless, with alpha", LosslessWebp(640, 480, 1), Format::kWebp, 640, 480},
      {"WebP, lossless, largest side", LosslessWebp(16384, 1), Format::kWebp, 16384, 1},
      {"WebP with a canvas", WebpCanvas(640, 480), Format::kWebp, 640, 480},
      {"WebP with a canvas, largest side", WebpCanvas(65500, 1), Format::kWebp, 65500, 1},
      {"WebP, most pixels", WebpCanvas(5000, 10000), Format::kWebp, 5000, 10000},
  };
  for (const Accepted& c : cases) {
    const absl::StatusOr<Header> header = Sniff(AsBytes(c.file), Limits());
    ASSERT_TRUE(header.ok()) << c.name << ": " << header.status();
    EXPECT_EQ(header->format, c.format) << c.name;
    EXPECT_EQ(header->width, c.width) << c.name;
    EXPECT_EQ(header->height, c.height) << c.name;
  }
}

std::string Scan(int components) {
  return absl::StrCat(Segment(0xDA, absl::StrCat(std::string(1, static_cast<char>(components)), "abcdef")),
                      "data\xFF\0data\xFF\xD0 data"s);
}

std::string Repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(SniffTest, CountsTheScansOfAJpegFile) {
  struct Case {
    const char* name;
    int marker;  // of the frame header, whose image has one component
    std::string rest;
    int scans, planes;
  };
  const Case cases[] = {
      {"nothing", 0xC0, "", 1, 1},
      {"one", 0xC0, Scan(1), 1, 1},
      {"one with all components, and more", 0xC0, Repeated(Scan(1), 5), 1, 1},
      {"one with more components, and more", 0xC0, Repeated(Scan(3), 5), 5, 15},
      {"one with as many components as may be", 0xC0, Scan(4), 1, 4},
      {"one with more components than may be", 0xC0, Scan(255), 1, 4},
      {"one with none", 0xC0, Scan(0), 1, 1},
      {"progressive", 0xC2, Repeated(Scan(1), 5), 5, 5},
      {"progressive, the first of all components", 0xC2, Scan(3) + Repeated(Scan(1), 5), 6, 8},
      {"progressive, as many as may be", 0xC2, Repeated(Scan(1), 100), 100, 100},
      {"progressive and arithmetic", 0xCA, Repeated(Scan(1), 5), 5, 5},
      {"progressive, with tables between", 0xC2, Repeated(Scan(1) + Segment(0xC4, "ab\xFF\xDA"), 5), 5, 5},
      {"progressive, with a comment that is no scan", 0xC2, Segment(0xFE, Repeated(Scan(1), 5)) + Scan(1), 1, 1},
      {"progressive, and another image behind its end", 0xC2, Scan(1) + "\xFF\xD9" + Repeated(Scan(1), 5), 1, 1},
      {"progressive, with half a scan", 0xC2, Scan(1) + "\xFF\xDA", 2, 2},
  };
  for (const Case& c : cases) {
    const std::string file = absl::StrCat("\xFF\xD8", FrameHeader(7, 9, c.marker), c.rest);
    const absl::StatusOr<Header> header = Sniff(AsBytes(file), Limits());
    ASSERT_TRUE(header.ok()) << c.name << ": " << header.status();
    EXPECT_EQ(header->scans, c.scans) << c.name;
    EXPECT_EQ(header->planes, c.planes) << c.name;
    EXPECT_EQ(header->arithmetic, c.marker == 0xCA) << c.name;
  }
}

TEST(SniffTest, ReadsTheBitsOfAPixel) {
  const std::tuple<int, int, int> cases[] = {{1, 0, 1}, {16, 0, 16}, {8, 2, 24}, {4, 3, 4}, {8, 4, 16}, {16, 6, 64}};
  for (const auto& [bits, type, wanted] : cases) {
    const std::string file = absl::StrCat(Png(3, 2), BigEndian(bits, 1), BigEndian(type, 1));
    EXPECT_EQ(Sniff(AsBytes(file), Limits())->bits, wanted) << bits << " bits, colour type " << type;
  }
}

TEST(SniffTest, ReadsWhetherAPngIsInterlaced) {
  const std::string until = Png(3, 2) + "\x08\2\0\0"s;
  EXPECT_FALSE(Sniff(AsBytes(until), Limits())->interlaced);
  EXPECT_FALSE(Sniff(AsBytes(until + "\0"s), Limits())->interlaced);
  EXPECT_TRUE(Sniff(AsBytes(until + "\1"s), Limits())->interlaced);
}

struct Refused {
  const char* name;
  std::string file;
  const char* error;
};

TEST(SniffTest, Refuses) {
  const Refused cases[] = {
      {"empty", "", "expected a JPEG, PNG or WebP file, got no bytes"},
      {"text", "a cat, sitting", "expected a JPEG, PNG or WebP file, got 14 bytes that begin with \"a cat, sitti\""},
      {"a data URI", "data:image/png;base64,iVBORw0KGgo=", "got a data URI: send the bytes of the file"},
      {"one of another kind", " DATA:,x", "got a data URI"},
      {"a JPEG's base64", absl::Base64Escape(Jpeg(1, 1)), "got base64 text: send the bytes of the file"},
      {"a PNG's base64", absl::Base64Escape(Png(1, 1)), "got base64 text"},
      {"a WebP's base64", absl::Base64Escape(LossyWebp(1, 1)), "got base64 text"},
      {"its other alphabet", absl::WebSafeBase64Escape(Jpeg(1, 1)), "got base64 text"},
      {"base64 in lines, in quotes", "\r\n\"/9j\r\n/4AAQSkZJ\"", "got base64 text"},
      {"Python's text of bytes", "b'/9j/4AAQSkZJ'", "got base64 text"},
      {"base64 twice", absl::Base64Escape(absl::Base64Escape(Png(1, 1))), "got base64 text"},
      {"the start of one", "/9j/", "got base64 text"},
      {"base64 of a text", absl::Base64Escape("a cat, sitting"), "got 20 bytes that begin with \"YSBjYXQsIHNp\""},
      {"too little of it", "/9j", "got 3 bytes that begin with \"/9j\""},
      {"RIFF of another kind", "RIFF\x24\0\0\0WAVE"s, "that begin with \"RIFF$\\x00\\x00\\x00WAVE\""},
      {"JPEG's first two bytes and others", "\xFF\xD8\0"s, "expected a JPEG, PNG or WebP file"},
      {"PNG with its line ends converted", "\x89PNG\n\x1A\n", "expected a JPEG, PNG or WebP file"},
      {"JPEG without a frame", absl::StrCat("\xFF\xD8", Segment(0xDB, "a"), "\xFF\xD9"), "damaged JPEG file"},
      {"JPEG with a scan first", absl::StrCat("\xFF\xD8", Segment(0xDA, "a"), FrameHeader(1, 1)), "damaged JPEG file"},
      {"JPEG in a JPEG", absl::StrCat("\xFF\xD8", Jpeg(1, 1)), "damaged JPEG file"},
      {"JPEG whose segment goes beyond its end", "\xFF\xD8\xFF\xE0\xFF\xFF\xFF\xC0"s, "truncated JPEG file"},
      {"PNG with another chunk first", Png(1, 1).replace(12, 4, "IDAT"), "damaged PNG file: expected IHDR"},
      {"WebP with another chunk first", Riff("ICCP", std::string(20, 'a')), "damaged WebP file: expected an image"},
      {"lossy WebP without its start code", LossyWebp(1, 1).replace(23, 1, "a"),
       "damaged WebP file: expected an image"},
      {"lossless WebP without its signature", LosslessWebp(1, 1).replace(20, 1, "a"),
       "damaged WebP file: expected an image"},
      {"JPEG of 60000x60000", Jpeg(60000, 60000), "declares 60000x60000 pixels, expected at most 50000000 in all"},
      {"PNG of 60000x60000", Png(60000, 60000), "declares 60000x60000 pixels, expected at most 50000000 in all"},
      {"WebP of 2^24x2^24", WebpCanvas(1 << 24, 1 << 24), "declares 16777216x16777216 pixels, expected at most 65500"},
      {"WebP, too wide", WebpCanvas(65501, 1), "declares 65501x1 pixels, expected at most 65500 a side"},
      {"WebP, one row too many", WebpCanvas(10000, 5001), "expected at most 50000000 in all"},
      {"lossy WebP without width", LossyWebp(0, 5), "declares 0x5 pixels, expected at least 1x1"},
      {"lossy WebP without height", LossyWebp(5, 0), "declares 5x0 pixels, expected at least 1x1"},
      {"JPEG of 101 scans", absl::StrCat("\xFF\xD8", FrameHeader(7, 9, 0xC2), Repeated(Scan(1), 101)),
       "damaged JPEG file: expected at most 100 scans, got 101"},
      {"JPEG, too wide", Jpeg(65501, 1), "declares 65501x1 pixels, expected at most 65500 a side"},
      {"PNG, too high", Png(1, 65501), "declares 1x65501 pixels, expected at most 65500 a side"},
      {"JPEG, one row too many", Jpeg(10000, 5001), "expected at most 50000000 in all"},
      {"PNG, one column too many", Png(5001, 10000), "expected at most 50000000 in all"},
      {"PNG, largest that can be said", Png(0xFFFFFFFF, 0xFFFFFFFF), "declares 4294967295x4294967295 pixels"},
      {"JPEG without width", Jpeg(0, 5), "declares 0x5 pixels, expected at least 1x1"},
      {"JPEG without height", Jpeg(5, 0), "declares 5x0 pixels, expected at least 1x1"},
      {"PNG without width", Png(0, 5), "declares 0x5 pixels, expected at least 1x1"},
      {"PNG without height", Png(5, 0), "declares 5x0 pixels, expected at least 1x1"},
  };
  for (const Refused& c : cases) {
    const absl::Status status = Sniff(AsBytes(c.file), Limits()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.error)) << c.name;
  }
}

TEST(SniffTest, EveryCutBeforeTheSizeIsATruncatedFile) {
  for (const std::string& file : {absl::StrCat("\xFF\xD8", Segment(0xDB, "abc"), FrameHeader(3, 2)), Png(3, 2),
                                  LossyWebp(3, 2), LosslessWebp(3, 2), WebpCanvas(3, 2)}) {
    const size_t needed = file[0] == '\xFF' ? file.size() - 4 : file.size();
    for (size_t length = 1; length <= file.size(); ++length) {
      const absl::Status status = Sniff(AsBytes(file).subspan(0, length), Limits()).status();
      EXPECT_EQ(status.ok(), length >= needed) << length;
      EXPECT_THAT(std::string(status.message()), HasSubstr(status.ok() ? "" : "truncated")) << length;
    }
  }
}

TEST(SniffTest, LimitsAreTheCallers) {
  const Limits limits{.max_pixels = 100, .max_side = 20};
  EXPECT_TRUE(Sniff(AsBytes(Jpeg(20, 5)), limits).ok());
  EXPECT_THAT(Sniff(AsBytes(Jpeg(21, 4)), limits).status().message(), HasSubstr("at most 20 a side"));
  EXPECT_THAT(Sniff(AsBytes(Png(101, 1)), limits).status().message(), HasSubstr("at most 20 a side"));
  EXPECT_THAT(Sniff(AsBytes(Png(11, 10)), limits).status().message(), HasSubstr("at most 100 in all"));
  EXPECT_TRUE(HasTooManyPixels(AsBytes(Png(11, 10)), limits));
  EXPECT_FALSE(HasTooManyPixels(AsBytes(Png(10, 10)), limits));
  EXPECT_FALSE(HasTooManyPixels(AsBytes(Png(21, 10)), limits));  // nor would the side do
  EXPECT_FALSE(HasTooManyPixels(AsBytes(absl::string_view("text")), limits));
}

}  // namespace
}  // namespace resnetd::image
