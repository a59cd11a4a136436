// JPEG (ITU-T T.81, annex B): after FF D8 come segments, each FF, a marker byte, and two bytes with the length of what
// follows, themselves included. The first frame header among them declares the size:
//
//   FF C0..CF | length | precision (1 byte) | height (2) | width (2) | ...         but not C4, C8 and CC, which are
//   tables
//
// PNG (ISO/IEC 15948, 11.2.2): the signature, then always the chunk IHDR:
//
//   89 P N G 0D 0A 1A 0A | length 13 (4 bytes) | I H D R | width (4) | height (4) | ...
//
// WebP (RFC 9649): R I F F | length (4 bytes, the lowest first, as all of them) | W E B P, then one of three chunks:
//
//   V P 8 _ | length (4) | frame tag (3) | 9D 01 2A | width (2) | height (2) | ...       lossy; scales in the top 2
//   bits V P 8 L | length (4) | 2F | width - 1 (14 bits) | height - 1 (14 bits) | ...         lossless V P 8 X | length
//   (4) | flags (4) | width - 1 (3) | height - 1 (3) | ...              a canvas for what follows
#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
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

absl::StatusOr<Size> JpegSize(absl::string_view file) {
  const Reader in(file);
  size_t at = 2;
  while (true) {
    // Decoders skip junk in front of a marker, and any number of FF may fill the space before one.
    at = file.find('\xFF', at);
    at = at == file.npos ? at : file.find_first_not_of('\xFF', at);
    if (at == file.npos) return Truncated("JPEG", file);
    const int64_t marker = in.U8(at++);
    if (StandsAlone(marker)) continue;
    constexpr int64_t kStartOfImage = 0xD8, kEndOfImage = 0xD9, kStartOfScan = 0xDA;
    if (marker == kStartOfImage || marker == kEndOfImage || marker == kStartOfScan) {
      return absl::InvalidArgumentError("damaged JPEG file: expected a frame header before anything else of an image");
    }
    if (file.size() - at < 2) return Truncated("JPEG", file);
    if (IsFrameHeader(marker)) {
      if (file.size() - at < 7) return Truncated("JPEG", file);
      return Size{in.U16(at + 5), in.U16(at + 3)};
    }
    at += static_cast<size_t>(std::max(in.U16(at), int64_t{2}));  // decoders take a smaller length for none
  }
}

absl::StatusOr<Size> PngSize(absl::string_view file) {
  if (file.size() < 24) return Truncated("PNG", file);
  if (file.substr(12, 4) != "IHDR") {
    return absl::InvalidArgumentError("damaged PNG file: expected IHDR as the first chunk");
  }
  const Reader in(file);
  return Size{in.U32(16), in.U32(20)};
}

bool IsWebp(absl::string_view file) {
  return Begins(file, kRiffStart) && (file.size() <= 8 || Begins(file.substr(8), kWebpStart));
}

absl::StatusOr<Size> WebpSize(absl::string_view file) {
  constexpr size_t kLosslessBytes = 25, kBytes = 30;  // up to the end of the size
  const absl::string_view chunk = file.size() < 16 ? "" : file.substr(12, 4);
  if (file.size() < (chunk == "VP8L" ? kLosslessBytes : kBytes)) return Truncated("WebP", file);
  const Reader in(file);
  constexpr int64_t k14Bits = 0x3FFF;
  if (chunk == "VP8X") return Size{in.U24Little(24) + 1, in.U24Little(27) + 1};
  if (chunk == "VP8L" && in.U8(20) == 0x2F) {
    const int64_t bits = in.U32Little(21);
    return Size{(bits & k14Bits) + 1, (bits >> 14 & k14Bits) + 1};
  }
  if (chunk == "VP8 " && file.substr(23, 3) == "\x9D\x01\x2A") {
    return Size{in.U16Little(26) & k14Bits, in.U16Little(28) & k14Bits};
  }
  return absl::InvalidArgumentError("damaged WebP file: expected an image as the first chunk");
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

}  // namespace

absl::StatusOr<Header> Sniff(absl::Span<const std::byte> bytes, const Limits& limits) {
  const absl::string_view file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (file.empty()) return absl::InvalidArgumentError("expected a JPEG, PNG or WebP file, got no bytes");
  Header header;
  absl::StatusOr<Size> size;
  if (Begins(file, kJpegStart)) {
    header.format = Format::kJpeg;
    size = JpegSize(file);
  } else if (Begins(file, kPngStart)) {
    header.format = Format::kPng;
    size = PngSize(file);
  } else if (IsWebp(file)) {
    header.format = Format::kWebp;
    size = WebpSize(file);
  } else {
    return absl::InvalidArgumentError(absl::StrCat("expected a JPEG, PNG or WebP file, got ", file.size(),
                                                   " bytes that begin with \"", absl::CHexEscape(file.substr(0, 12)),
                                                   "\""));
  }
  if (!size.ok()) return size.status();
  if (absl::Status s = CheckSize(*size, limits); !s.ok()) return s;
  header.width = static_cast<int>(size->width);
  header.height = static_cast<int>(size->height);
  return header;
}

}  // namespace resnetd::image
