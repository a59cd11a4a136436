// JPEG: ITU-T T.81. 420.jpg, from which most of these are made, is
//
//   FFD8 | APP0 | DQT | DQT | SOF0 | DHT x 4 | SOS | pixels | FFD9
#include <cstdio>  // jpeglib.h needs FILE

#include <cstdlib>
#include <utility>

#include <jpeglib.h>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/image_golden.h"
#include "tests/support/image_hostile.h"

namespace resnetd::image {
namespace {

using std::string_literals::operator""s;

constexpr absl::string_view kQuantisation = "\xFF\xDB", kFrame = "\xFF\xC0", kHuffman = "\xFF\xC4", kScan = "\xFF\xDA",
                            kEnd = "\xFF\xD9";

// The file's first segment of this marker, marker included.
std::string Segment(const std::string& file, absl::string_view marker) {
  const size_t at = file.find(std::string(marker));
  EXPECT_NE(at, file.npos);
  return file.substr(at, 2 + 256 * static_cast<uint8_t>(file[at + 2]) + static_cast<uint8_t>(file[at + 3]));
}

std::string Without(std::string file, absl::string_view marker) {
  for (size_t at; (at = file.find(std::string(marker))) != file.npos;) file.erase(at, Segment(file, marker).size());
  return file;
}

std::string WithFrame(const std::string& file, absl::string_view frame) {
  return Replaced(file, Segment(file, kFrame), frame);
}

// Byte `at` of the frame header's content, counted from the precision.
std::string WithFrameByte(const std::string& file, size_t at, int value) {
  std::string frame = Segment(file, kFrame);
  frame[4 + at] = static_cast<char>(value);
  return WithFrame(file, frame);
}

std::string WithSize(const std::string& file, int width, int height) {
  std::string frame = Segment(file, kFrame);
  return WithFrame(
      file, frame.replace(5, 4, Number(static_cast<uint64_t>(height), 2) + Number(static_cast<uint64_t>(width), 2)));
}

// Byte `at` of the scan header's content, counted from the number of components.
std::string WithScanByte(const std::string& file, size_t at, int value) {
  std::string scan = Segment(file, kScan);
  scan[4 + at] = static_cast<char>(value);
  return Replaced(file, Segment(file, kScan), scan);
}

struct Encoding {
  int width = 40, height = 30, components = 3;
  bool progressive = false, arithmetic = false;
  std::vector<jpeg_scan_info> scans = {};
};

std::string Encoded(const Encoding& e) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): the library's signature
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(e.width);
  info.image_height = static_cast<JDIMENSION>(e.height);
  info.input_components = e.components;
  info.in_color_space = e.components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  info.arith_code = e.arithmetic;
  if (e.progressive) jpeg_simple_progression(&info);
  if (!e.scans.empty()) {
    info.scan_info = e.scans.data();
    info.num_scans = static_cast<int>(e.scans.size());
  }
  jpeg_start_compress(&info, TRUE);
  std::vector<uint8_t> row(static_cast<size_t>(e.width) * e.components);
  for (int y = 0; y < e.height; ++y) {
    for (size_t x = 0; x < row.size(); ++x) row[x] = static_cast<uint8_t>(7 * x + 3 * static_cast<size_t>(y));
    JSAMPROW pixels = row.data();
    jpeg_write_scanlines(&info, &pixels, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string file(reinterpret_cast<char*>(bytes), size);
  std::free(bytes);
  return file;
}

// A grey progressive file of this many scans: the average, then one frequency a scan, coarsely; then their last bits.
std::string OfScans(int scans) {
  Encoding e{.width = 16, .height = 16, .components = 1};
  for (int i = 0; i < scans; ++i) {
    const int frequency = i == 0 ? 0 : (i - 1) % 63 + 1;
    const bool refines = i > 63;
    e.scans.push_back({1, {0}, frequency, frequency, refines ? 1 : 0, refines || i == 0 ? 0 : 1});
  }
  return Encoded(e);
}

// Everything between the first scan's header and the end marker, that many times over.
std::string WithScansRepeated(const std::string& file, size_t times) {
  const size_t scan = file.find(std::string(kScan)), end = file.rfind(std::string(kEnd));
  return absl::StrCat(file.substr(0, scan), Repeated(file.substr(scan, end - scan), times), kEnd);
}

std::vector<HostileFile> OfDamagedSegments() {
  const std::string jpeg = ReadGoldenFile("420.jpg");
  const std::string app = Segment(jpeg, "\xFF\xE0"), tables = Segment(jpeg, kQuantisation);
  std::string short_tables = tables, codes = Segment(jpeg, kHuffman);
  short_tables[3] = 30;
  codes.replace(5, 16, 16, '\2');  // two codes of each length, of which one bit can only have two
  return {
      {"jpeg-of-two-markers", "\xFF\xD8\xFF\xD9", "damaged JPEG file: expected a frame header"},
      {"jpeg-without-frame", Without(jpeg, kFrame), "damaged JPEG file: expected a frame header"},
      {"jpeg-that-starts-twice", "\xFF\xD8" + jpeg, "damaged JPEG file: expected a frame header"},
      {"jpeg-without-scan", jpeg.substr(0, jpeg.find(std::string(kScan))) + "\xFF\xD9", "damaged JPEG file"},
      {"jpeg-that-ends-with-the-scan-header", Replaced(jpeg, jpeg.substr(jpeg.find(std::string(kScan)) + 14), ""),
       "truncated JPEG file"},
      {"jpeg-of-no-pixels-but-their-end", Replaced(jpeg, jpeg.substr(jpeg.find(std::string(kScan)) + 14), kEnd), ""},
      {"jpeg-of-ones-for-pixels",
       Replaced(jpeg, jpeg.substr(jpeg.find(std::string(kScan)) + 14), Repeated("\xFF\0"s, 400) + "\xFF\xD9"), ""},
      {"jpeg-without-tables", Without(jpeg, kQuantisation), "damaged JPEG file"},
      {"jpeg-without-codes", Without(jpeg, kHuffman), ""},
      {"jpeg-with-tables-cut-short", Replaced(jpeg, tables, short_tables), "damaged JPEG file"},
      {"jpeg-with-impossible-codes", Replaced(jpeg, Segment(jpeg, kHuffman), codes), "damaged JPEG file"},
      {"jpeg-with-two-frames", Inserted(jpeg, kFrame, Segment(jpeg, kFrame)), "damaged JPEG file"},
      {"jpeg-with-a-frame-behind-the-scan", Inserted(jpeg, kEnd, Segment(jpeg, kFrame)), "damaged JPEG file"},
      {"jpeg-with-half-a-frame-at-its-end", Replaced(jpeg, kEnd, "\xFF\xC9"), "more than one frame"},
      {"jpeg-without-end", Replaced(jpeg, kEnd, ""), "truncated JPEG file"},
      {"jpeg-with-an-empty-segment", Inserted(jpeg, kQuantisation, "\xFF\xE5\0\2"s), ""},
      {"jpeg-with-a-segment-of-less-than-nothing", Inserted(jpeg, kQuantisation, "\xFF\xE5\0\0"s), ""},
      {"jpeg-with-a-segment-of-one-byte", Inserted(jpeg, kQuantisation, "\xFF\xE5\0\1"s), ""},
      {"jpeg-with-a-segment-beyond-its-end", Inserted(jpeg, kQuantisation, "\xFF\xE5\xFF\xFF"), "truncated JPEG file"},
      {"jpeg-of-comments", Inserted(jpeg, kQuantisation, Repeated(JpegSegment(0xFE, std::string(65533, 'c')), 20)), ""},
      {"jpeg-of-tiny-comments", Inserted(jpeg, kQuantisation, Repeated(JpegSegment(0xFE, ""), 50'000)), ""},
      {"jpeg-of-many-tables", Inserted(jpeg, kQuantisation, Repeated(tables, 2'000)), ""},
      {"jpeg-with-half-a-profile", Inserted(jpeg, kQuantisation, JpegSegment(0xE2, "ICC_PROFILE\0\1\2half"s)), ""},
      {"jpeg-with-exif-that-is-none",
       Inserted(jpeg, kQuantisation, JpegSegment(0xE1, "Exif\0\0MM\0*\xFF\xFF\xFF\xFF"s)), ""},
      {"jpeg-of-orientation-9",
       Inserted(jpeg, kQuantisation,
                JpegSegment(0xE1, "Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\x09\0\0\0\0\0\0"s)),
       ""},
      {"jpeg-of-adobe-transform-9", Inserted(jpeg, kQuantisation, JpegSegment(0xEE, "Adobe\0\x64\0\0\0\0\x09"s)), ""},
      {"jpeg-with-a-short-jfif", Replaced(jpeg, app, JpegSegment(0xE0, "JFIF\0"s)), "",
       "Pillow reads the version of JFIF, which does not matter to pixels"},
      {"jpeg-with-a-jpg-extension", Inserted(jpeg, kQuantisation, JpegSegment(0xF0, "abc")), "damaged JPEG file"},
  };
}

// Bytes that belong to no segment. The library counts and passes over them.
std::vector<HostileFile> OfStrayBytes() {
  const std::string jpeg = ReadGoldenFile("420.jpg"), restarts = ReadGoldenFile("restarts.jpg");
  const std::string progressive = ReadGoldenFile("progressive.jpg");
  return {
      {"jpeg-with-stray-bytes-at-first", Inserted(jpeg, "\xFF\xE0", "\xFFstray"), "truncated JPEG file"},
      {"jpeg-with-stray-bytes-before-tables", Inserted(jpeg, kQuantisation, "stray"), ""},
      {"jpeg-with-stray-bytes-before-frame", Inserted(jpeg, kFrame, "stray"), ""},
      {"jpeg-with-stray-bytes-before-codes", Inserted(jpeg, kHuffman, "stray"), ""},
      {"jpeg-with-stray-bytes-before-scan", Inserted(jpeg, kScan, "stray"), ""},
      {"jpeg-with-stray-bytes-before-end", Inserted(jpeg, kEnd, "stray"), ""},
      {"jpeg-with-100000-stray-bytes", Inserted(jpeg, kFrame, std::string(100'000, 's')), ""},
      {"jpeg-with-fill-bytes", Inserted(jpeg, kFrame, std::string(1000, '\xFF')), ""},
      {"jpeg-with-escaped-bytes-between", Inserted(jpeg, kFrame, "\xFF\0\xFF\0"s), ""},
      {"jpeg-with-restart-markers-between", Inserted(jpeg, kFrame, "\xFF\xD3\xFF\xD4"), ""},
      {"jpeg-with-a-tem-marker-between", Inserted(jpeg, kFrame, "\xFF\x01"), "", "Pillow does not know this marker"},
      {"jpeg-with-stray-bytes-between-scans",
       Replaced(progressive, Segment(progressive.substr(progressive.find(std::string(kScan)) + 2), kScan),
                "stray" + Segment(progressive.substr(progressive.find(std::string(kScan)) + 2), kScan)),
       ""},
      {"jpeg-with-a-restart-marker-missing", Replaced(restarts, "\xFF\xD1", ""), ""},
      {"jpeg-with-restart-markers-in-disorder", Replaced(restarts, "\xFF\xD1", "\xFF\xD5"), ""},
      {"jpeg-with-restarts-it-did-not-declare", Without(restarts, "\xFF\xDD"), ""},
      {"jpeg-that-declares-restarts-it-has-not", Inserted(jpeg, kScan, "\xFF\xDD\0\4\0\1"s), ""},
  };
}

std::vector<HostileFile> OfFrames() {
  const std::string jpeg = ReadGoldenFile("420.jpg"), grey = ReadGoldenFile("grey.jpg");
  const std::string two = "\xFF\xC0\0\x0E\x08\0\x25\0\x2D\2\1\x22\0\2\x11\1"s;
  const auto with_marker = [&](int marker) { return Replaced(jpeg, kFrame, absl::StrCat("\xFF", Number(marker, 1))); };
  return {
      {"jpeg-of-12-bits", WithFrameByte(jpeg, 0, 12), "damaged JPEG file: Unsupported JPEG data precision 12"},
      {"jpeg-of-16-bits", WithFrameByte(jpeg, 0, 16), "damaged JPEG file: Unsupported JPEG data precision 16"},
      {"jpeg-of-0-bits", WithFrameByte(jpeg, 0, 0), "damaged JPEG file: Unsupported JPEG data precision 0"},
      {"jpeg-of-0-components", WithFrame(jpeg, JpegSegment(0xC0, "\x08\0\x25\0\x2D\0"s)), "damaged JPEG file"},
      {"jpeg-of-2-components", WithFrame(jpeg, two), "damaged JPEG file"},
      {"jpeg-of-5-components",
       WithFrame(jpeg, JpegSegment(0xC0, "\x08\0\x25\0\x2D\5\1\x11\0\2\x11\0\3\x11\0\4\x11\0\5\x11\0"s)),
       "expected 1, 3 or 4 colour components, got 5"},
      {"jpeg-of-255-components", WithFrameByte(jpeg, 5, 255), "damaged JPEG file"},
      {"jpeg-sampled-0-times", WithFrameByte(jpeg, 7, 0x02), "damaged JPEG file: Bogus sampling factors"},
      {"jpeg-sampled-5-times", WithFrameByte(jpeg, 7, 0x51), "damaged JPEG file: Bogus sampling factors"},
      {"jpeg-sampled-3-times", WithFrameByte(grey, 7, 0x33), ""},
      {"jpeg-with-one-component-twice", WithFrameByte(jpeg, 9, 1), "damaged JPEG file"},
      {"jpeg-with-a-table-it-has-not", WithFrameByte(jpeg, 8, 3), "damaged JPEG file"},
      {"jpeg-of-extended-huffman-coding", with_marker(0xC1), ""},
      {"jpeg-that-says-it-is-progressive", with_marker(0xC2), "damaged JPEG file"},
      {"jpeg-that-says-it-is-lossless", with_marker(0xC3), "damaged JPEG file: Unsupported JPEG process"},
      {"jpeg-that-says-it-is-hierarchical", with_marker(0xC5), "damaged JPEG file: Unsupported JPEG process"},
      {"jpeg-that-says-it-is-arithmetic", with_marker(0xC9), ""},
      {"jpeg-of-arithmetic-coding", Encoded({.arithmetic = true}), ""},
      {"jpeg-of-progressive-arithmetic-coding", Encoded({.progressive = true, .arithmetic = true}), ""},
      {"jpeg-of-much-arithmetic-coding", Encoded({.width = 2000, .height = 2000, .arithmetic = true}), "",
       "Pillow gives the library 64 KiB at a time, which it cannot do with when arithmetic coding is used"},
      {"jpeg-of-half-arithmetic-coding", Encoded({.arithmetic = true}).substr(0, 500), "truncated JPEG file"},
      {"jpeg-scan-of-0-components", WithScanByte(jpeg, 0, 0), "damaged JPEG file"},
      {"jpeg-scan-of-5-components", WithScanByte(jpeg, 0, 5), "damaged JPEG file"},
      {"jpeg-scan-of-an-unknown-component", WithScanByte(jpeg, 1, 9), "damaged JPEG file"},
      {"jpeg-scan-of-codes-it-has-not", WithScanByte(jpeg, 2, 0x33), "damaged JPEG file"},
      {"jpeg-scan-of-frequencies-backwards", WithScanByte(ReadGoldenFile("progressive.jpg"), 7, 63),
       "damaged JPEG file"},
  };
}

std::vector<HostileFile> OfSizes() {
  const std::string jpeg = ReadGoldenFile("420.jpg");
  return {
      {"jpeg-of-0x0", WithSize(jpeg, 0, 0), "declares 0x0 pixels, expected at least 1x1"},
      {"jpeg-of-0x37", WithSize(jpeg, 0, 37), "declares 0x37 pixels, expected at least 1x1"},
      {"jpeg-of-45x0", WithSize(jpeg, 45, 0), "declares 45x0 pixels, expected at least 1x1"},
      {"jpeg-of-a-height-told-later", Replaced(WithSize(jpeg, 45, 0), kEnd, absl::StrCat("\xFF\xDC\0\4\0\x25"s, kEnd)),
       "declares 45x0 pixels"},
      {"jpeg-of-65500x65500", WithSize(jpeg, 65500, 65500), "expected at most 50000000 in all"},
      {"jpeg-of-65535x1", WithSize(jpeg, 65535, 1), "expected at most 65500 a side"},
      {"jpeg-of-1x65501", WithSize(jpeg, 1, 65501), "expected at most 65500 a side"},
      {"jpeg-of-one-row-too-many", WithSize(jpeg, 10000, 5001), "expected at most 50000000 in all"},
      {"jpeg-of-1x65500", Encoded({.width = 1, .height = 65500, .components = 1}), ""},
      {"jpeg-of-65500x1", Encoded({.width = 65500, .height = 1, .components = 1}), ""},
      {"jpeg-of-more-rows-than-it-has", WithSize(jpeg, 45, 4000), ""},
      {"jpeg-of-fewer-rows-than-it-has", WithSize(jpeg, 45, 8), ""},
      {"jpeg-of-more-columns-than-it-has", WithSize(jpeg, 4000, 37), ""},
  };
}

std::vector<HostileFile> OfScanCounts() {
  const std::string scans = "expected at most 100 scans", why = "Pillow has no limit";
  const std::string progressive = ReadGoldenFile("progressive.jpg");
  const std::string empty_scan = JpegSegment(0xDA, "\1\1\0\1\1\0"s);  // a coarse frequency, of which there is nothing
  const auto with_empty_scans = [&](size_t times) {
    return Replaced(progressive, progressive.substr(progressive.rfind(std::string(kEnd))),
                    absl::StrCat(Repeated(empty_scan, times), kEnd));
  };
  const std::string components_apart = Encoded({.scans = {{1, {0}, 0, 63, 0, 0}, {2, {1, 2}, 0, 63, 0, 0}}});
  return {
      {"jpeg-of-1-scan", OfScans(1), ""},
      {"jpeg-of-100-scans", OfScans(100), ""},
      {"jpeg-of-101-scans", OfScans(101), scans, why},
      {"jpeg-of-5000-empty-scans", with_empty_scans(5000), scans, why},
      {"jpeg-of-components-apart", components_apart, ""},
      {"jpeg-of-components-apart-5000-times", WithScansRepeated(components_apart, 2500), scans, why},
      {"jpeg-of-one-scan-1000-times", WithScansRepeated(ReadGoldenFile("420.jpg"), 1000),
       "damaged JPEG file: Didn't expect more than one scan"},
  };
}

}  // namespace

std::vector<HostileFile> HostileJpegFiles() {
  std::vector<HostileFile> files;
  for (auto* part : {OfDamagedSegments, OfStrayBytes, OfFrames, OfSizes, OfScanCounts}) {
    for (HostileFile& file : part()) files.push_back(std::move(file));
  }
  return files;
}

}  // namespace resnetd::image
