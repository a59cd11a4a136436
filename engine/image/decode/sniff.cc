// A file says of itself its format and its size, and by these what it will cost to decode.
//
// JPEG (ITU-T T.81, annex B): after FF D8 come segments, each FF, a marker byte, and two bytes with the length of what
// follows, themselves included. The first frame header among them declares the size:
//
//   FF C0..CF | length | precision (1 byte) | height (2) | width (2) | ...    but not C4, C8 and CC, which are tables
//
// Scans follow, FF DA | length | components (1) | ..., and entropy-coded data in which an FF is followed by 00.
//
// PNG (ISO/IEC 15948, 11.2.2): the signature, then always the chunk IHDR:
//
//   89 P N G 0D 0A 1A 0A | length 13 (4 bytes) | I H D R | width (4) | height (4) | bits a sample (1) | colour type (1)
//   | compression (1) | filter (1) | interlaced (1)
//
// WebP (RFC 9649): R I F F | length (4 bytes, the lowest first, as all of them) | W E B P, then one of three chunks:
//
//   V P 8 _ | length (4) | frame tag (3) | 9D 01 2A | width (2) | height (2) | ...    lossy; 14 bits each
//
//   V P 8 L | length (4) | 2F | width - 1 (14 bits) | height - 1 (14 bits) | ...      lossless
//
//   V P 8 X | length (4) | flags (4) | width - 1 (3) | height - 1 (3) | ...           a canvas for what follows
#include <algorithm>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "engine/image/decode/text_form.h"
#include "engine/image/image.h"

namespace resnetd::image {
namespace {

constexpr absl::string_view kJpegStart("\xFF\xD8\xFF", 3);
constexpr absl::string_view kPngStart("\x89PNG\r\n\x1A\n", 8);
constexpr absl::string_view kRiffStart("RIFF", 4), kWebpStart("WEBP", 4);

struct Size {
  int64_t width = 0, height = 0;
};

// Big-endian bytes, and little-endian where the name says so; the caller has checked that they are there.
class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}
  int64_t U8(size_t at) const { return static_cast<uint8_t>(bytes_[at]); }
  int64_t U16(size_t at) const { return U8(at) << 8 | U8(at + 1); }
  int64_t U32(size_t at) const { return U16(at) << 16 | U16(at + 2); }
  int64_t U16Little(size_t at) const { return U8(at) | U8(at + 1) << 8; }
  int64_t U24Little(size_t at) const { return U16Little(at) | U8(at + 2) << 16; }
  int64_t U32Little(size_t at) const { return U16Little(at) | U16Little(at + 2) << 16; }

 private:
  absl::string_view bytes_;
};

// Does the file begin with `start`, as far as it goes?
bool Begins(absl::string_view file, absl::string_view start) {
  return !file.empty() && absl::string_view(file).substr(0, start.size()) == start.substr(0, file.size());
}

absl::Status Truncated(absl::string_view format, absl::string_view file) {
  return absl::InvalidArgumentError(
      absl::StrCat("truncated ", format, " file: its ", file.size(), " bytes end before the image's size"));
}

bool IsFrameHeader(int64_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Markers without a length: TEM and RST0 to RST7; 00 is an escaped FF, no marker at all.
bool StandsAlone(int64_t marker) {
  return marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD7);
}

constexpr int64_t kStartOfImage = 0xD8, kEndOfImage = 0xD9, kStartOfScan = 0xDA;

// A JPEG file's markers one after the other, with the segments that follow them; entropy-coded data is passed over.
class Markers {
 public:
  explicit Markers(absl::string_view file) : file_(file), in_(file) {}

  // False at the end of the file.
  bool Next() {
    at_ = next_;
    do {
      // Decoders skip junk in front of a marker, and any number of FF may fill the space before one.
      at_ = file_.find('\xFF', at_);
      at_ = at_ == file_.npos ? at_ : file_.find_first_not_of('\xFF', at_);
      if (at_ == file_.npos) return false;
      marker_ = in_.U8(at_++);
    } while (StandsAlone(marker_));
    next_ = at_;
    // Decoders take a length that does not count itself for none.
    if (HasContent(0)) next_ += static_cast<size_t>(std::max(in_.U16(at_), int64_t{2}));
    return true;
  }

  int64_t marker() const { return marker_; }
  // Whether the segment has its length and that many bytes more, as far as the file goes.
  bool HasContent(size_t bytes) const { return file_.size() - at_ >= 2 + bytes; }
  int64_t U8(size_t at) const { return in_.U8(at_ + 2 + at); }
  int64_t U16(size_t at) const { return in_.U16(at_ + 2 + at); }

 private:
  absl::string_view file_;
  Reader in_;
  int64_t marker_ = 0;
  size_t at_ = 0, next_ = 2;  // where the segment's length is; where to look for the next marker
};

// Counts how often a decoder passes over the image, and over components of it: once if the first scan holds all
// components completely, else for each scan up to the end marker. `frame` is at the frame header.
void CountScans(Markers frame, Header& header) {
  const bool progressive = frame.marker() == 0xC2 || frame.marker() == 0xCA;
  const int64_t components = frame.HasContent(6) ? frame.U8(5) : 0;
  int scans = 0, planes = 0;
  while (frame.Next() && frame.marker() != kEndOfImage) {
    if (frame.marker() != kStartOfScan) continue;
    const int64_t in_scan = frame.HasContent(1) ? frame.U8(0) : 0;
    constexpr int64_t kMost = 4;  // no decoder takes more
    ++scans;
    planes += static_cast<int>(std::clamp<int64_t>(in_scan, 1, kMost));
    if (!progressive && in_scan == components) break;
  }
  header.scans = std::max(scans, 1);
  header.planes = std::max(planes, 1);
}

absl::StatusOr<Size> JpegSize(absl::string_view file, Header& header) {
  Markers markers(file);
  while (markers.Next()) {
    const int64_t marker = markers.marker();
    if (marker == kStartOfImage || marker == kEndOfImage || marker == kStartOfScan) {
      return absl::InvalidArgumentError("damaged JPEG file: expected a frame header before anything else of an image");
    }
    if (!IsFrameHeader(marker)) continue;
    if (!markers.HasContent(5)) break;
    CountScans(markers, header);
    header.arithmetic = marker > 0xC8;
    return Size{markers.U16(3), markers.U16(1)};
  }
  return Truncated("JPEG", file);
}

absl::StatusOr<Size> PngSize(absl::string_view file, Header& header) {
  if (file.size() < 24) return Truncated("PNG", file);
  if (file.substr(12, 4) != "IHDR") {
    return absl::InvalidArgumentError("damaged PNG file: expected IHDR as the first chunk");
  }
  const Reader in(file);
  if (file.size() >= 26) {
    constexpr int kSamples[] = {1, 1, 3, 1, 2, 1, 4, 1};  // by colour type
    header.bits = static_cast<int>(in.U8(24)) * kSamples[in.U8(25) % 8];
  }
  header.interlaced = file.size() >= 29 && in.U8(28) != 0;
  return Size{in.U32(16), in.U32(20)};
}

bool IsWebp(absl::string_view file) {
  return Begins(file, kRiffStart) && (file.size() <= 8 || Begins(file.substr(8), kWebpStart));
}

absl::StatusOr<Size> WebpSize(absl::string_view file, Header& header) {
  constexpr size_t kLosslessBytes = 25, kBytes = 30;  // up to the end of the size
  const absl::string_view chunk = file.size() < 16 ? "" : file.substr(12, 4);
  if (file.size() < (chunk == "VP8L" ? kLosslessBytes : kBytes)) return Truncated("WebP", file);
  const Reader in(file);
  constexpr int64_t k14Bits = 0x3FFF;
  if (chunk == "VP8X") return Size{in.U24Little(24) + 1, in.U24Little(27) + 1};
  if (chunk == "VP8L" && in.U8(20) == 0x2F) {
    header.lossless = true;
    const int64_t bits = in.U32Little(21);
    return Size{(bits & k14Bits) + 1, (bits >> 14 & k14Bits) + 1};
  }
  if (chunk == "VP8 " && file.substr(23, 3) == "\x9D\x01\x2A") {
    return Size{in.U16Little(26) & k14Bits, in.U16Little(28) & k14Bits};
  }
  return absl::InvalidArgumentError("damaged WebP file: expected an image as the first chunk");
}

// Whether the file begins as one of those formats, as far as it can be told.
bool BeginsAsImage(absl::string_view file) {
  return file.size() >= kJpegStart.size() && (Begins(file, kJpegStart) || Begins(file, kPngStart) || IsWebp(file));
}

absl::Status CheckSize(const Size& size, const Limits& limits) {
  const auto refused = [&size](auto... expected) {
    return absl::InvalidArgumentError(
        absl::StrCat("the image declares ", size.width, "x", size.height, " pixels, expected at ", expected...));
  };
  if (size.width == 0 || size.height == 0) return refused("least 1x1");
  if (std::max(size.width, size.height) > limits.max_side) return refused("most ", limits.max_side, " a side");
  if (size.width * size.height > limits.max_pixels) return refused("most ", limits.max_pixels, " in all");
  return absl::OkStatus();
}

// The cost is predicted from the size that the header declares and from the file's, by rates measured on one core with
// made files (bench/image/cost_bench.cc, which prints what is left between them). A pixel costs something in any case
// (its transform, its colour, its part in the resize), a byte of the file what its unpacking costs:
//
//                    ns a pixel                          ns a byte
//   JPEG             2, of four components 4             7.5
//   of n > 1 scans   2 + 0.65 n                          20
//   arithmetic       2 + 2.5 for each component of       100
//                    each scan
//   PNG              3 + 4.5 for each byte of a pixel,   18, at most 1 for each byte of all pixels; 70 for bytes that
//                    3 more if interlaced                no encoder needs: Deflate's blocks may be empty
//   WebP             4                                   45
//   lossless         4                                   25, at most 14 a pixel
//
// a row 25 ns, 30 more in an interlaced PNG, and any file what an input of 224x224 takes. Cheaper is what the rates
// cannot tell, scans without data or a PNG of one colour: rows of noise that repeat and are filtered by Paeth's
// predictor are as short a file, and cost four times as much. A lossless WebP behind other chunks is taken for a lossy
// one. Dearer is a lossless WebP of many tables of codes, 0.4 s for 65,536: how many there are, no byte at a known
// place says.
constexpr double kNanosecondsAnInput = 150'000, kNanosecondsARow = 25;

double Unpacking(const Header& header, size_t bytes) {
  const double pixels = static_cast<double>(header.width) * header.height, file = static_cast<double>(bytes);
  switch (header.format) {
    case Format::kJpeg:
      if (header.arithmetic) return pixels * (2 + 2.5 * header.planes) + file * 100;
      if (header.scans > 1) return pixels * (2 + 0.65 * header.scans) + file * 20;
      return pixels * (header.planes > 3 ? 4 : 2) + file * 7.5;
    case Format::kPng: {
      const double raw = pixels * header.bits / 8;
      constexpr double kHeaders = 65'536;
      const double interlacing = header.interlaced ? pixels * 3 + header.height * 30.0 : 0;
      return pixels * 3 + raw * 4.5 + interlacing + std::min(file * 18, raw) +
             std::max(file - raw - kHeaders, 0.0) * 70;
    }
    case Format::kWebp:
      return header.lossless ? pixels * 4 + std::min(file * 25, pixels * 14) : pixels * 4 + file * 45;
  }
  return 0;
}

}  // namespace

absl::StatusOr<Header> Sniff(absl::Span<const std::byte> bytes, const Limits& limits) {
  const absl::string_view file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (file.empty()) return absl::InvalidArgumentError("expected a JPEG, PNG or WebP file, got no bytes");
  Header header;
  absl::StatusOr<Size> size;
  if (Begins(file, kJpegStart)) {
    header.format = Format::kJpeg;
    size = JpegSize(file, header);
  } else if (Begins(file, kPngStart)) {
    header.format = Format::kPng;
    size = PngSize(file, header);
  } else if (IsWebp(file)) {
    header.format = Format::kWebp;
    size = WebpSize(file, header);
  } else if (const absl::string_view form = TextFormOf(file, BeginsAsImage); !form.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("expected a JPEG, PNG or WebP file, got ", form));
  } else {
    return absl::InvalidArgumentError(absl::StrCat("expected a JPEG, PNG or WebP file, got ", file.size(),
                                                   " bytes that begin with \"", absl::CHexEscape(file.substr(0, 12)),
                                                   "\""));
  }
  if (!size.ok()) return size.status();
  RESNETD_RETURN_IF_ERROR(CheckSize(*size, limits));
  if (header.scans > kMaxScans) {
    return absl::InvalidArgumentError(
        absl::StrCat("damaged JPEG file: expected at most ", kMaxScans, " scans, got ", header.scans));
  }
  header.width = static_cast<int>(size->width);
  header.height = static_cast<int>(size->height);
  return header;
}

bool HasTooManyPixels(absl::Span<const std::byte> file, const Limits& limits) {
  Limits wider = limits;
  wider.max_pixels = std::numeric_limits<int64_t>::max();
  return !Sniff(file, limits).ok() && Sniff(file, wider).ok();
}

double DecodeNanoseconds(const Header& header, size_t bytes) {
  return kNanosecondsAnInput + header.height * kNanosecondsARow + Unpacking(header, bytes);
}

}  // namespace resnetd::image
