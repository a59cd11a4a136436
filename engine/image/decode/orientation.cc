// EXIF is a TIFF file of its own inside the image file:
//
//   "II" 2A 00 | offset of the directory (4 bytes)      lowest byte first, or "MM" 00 2A and the highest first
//   directory: entries (2) | entries of 12 bytes: tag (2) | type (2) | count (4) | value, in the first of 4 bytes
//
// The upright image has the pixel that is stored at (x, y) of W x H in this place:
//
//   1  x, y       2  W-1-x, y        3  W-1-x, H-1-y      4  x, H-1-y
//   5  y, x       6  H-1-y, x        7  H-1-y, W-1-x      8  y, W-1-x
#include "engine/image/decode/orientation.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace resnetd::image {
namespace {

constexpr absl::string_view kExifStart("Exif\0\0", 6);

// A number of `bytes` bytes; the caller has checked that they are there.
size_t Number(absl::string_view text, size_t at, size_t bytes, bool little) {
  size_t number = 0;
  for (size_t i = 0; i < bytes; ++i) {
    number = number << 8 | static_cast<uint8_t>(text[at + (little ? bytes - 1 - i : i)]);
  }
  return number;
}

absl::string_view JpegExif(absl::string_view file) {
  constexpr size_t kStartOfScan = 0xDA, kApp1 = 0xE1;
  size_t at = 2;
  while (true) {
    at = file.find('\xFF', at);
    at = at == file.npos ? at : file.find_first_not_of('\xFF', at);
    if (at == file.npos) return {};
    const size_t marker = Number(file, at++, 1, false);
    if (marker == kStartOfScan) return {};
    if (marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD7)) continue;  // these have no length
    if (file.size() - at < 2) return {};
    const size_t length = std::max(Number(file, at, 2, false), size_t{2});
    if (length > file.size() - at) return {};
    const absl::string_view content = file.substr(at + 2, length - 2);
    if (marker == kApp1 && absl::StartsWith(content, kExifStart)) return content;
    at += length;
  }
}

// PNG: length, kind, content, checksum. RIFF: kind, length, content, and a byte if that makes the length even.
absl::string_view ChunkExif(absl::string_view file, bool png) {
  const absl::string_view wanted = png ? "eXIf" : "EXIF";
  size_t at = png ? 8 : 12;
  while (at + 8 <= file.size()) {
    const size_t length = png ? Number(file, at, 4, false) : Number(file, at + 4, 4, true);
    const absl::string_view kind = file.substr(at + (png ? 4 : 0), 4);
    at += 8;
    if (length > file.size() - at) return {};
    if (kind == wanted) return file.substr(at, length);
    at += std::min(file.size() - at, png ? length + 4 : length + length % 2);
  }
  return {};
}

int OrientationOf(absl::string_view tiff) {
  constexpr int kUpright = 1, kLast = 8;
  constexpr size_t kHeader = 8, kEntry = 12, kTag = 0x0112, kShort = 3;
  const bool little = absl::StartsWith(tiff, absl::string_view("II\x2A\0", 4));
  if (tiff.size() < kHeader || (!little && !absl::StartsWith(tiff, absl::string_view("MM\0\x2A", 4)))) return kUpright;
  size_t at = Number(tiff, 4, 4, little);
  if (at > tiff.size() || tiff.size() - at < 2) return kUpright;
  const size_t entries = std::min(Number(tiff, at, 2, little), (tiff.size() - at - 2) / kEntry);
  at += 2;
  for (size_t i = 0; i < entries; ++i, at += kEntry) {
    if (Number(tiff, at, 2, little) != kTag) continue;
    const int value = static_cast<int>(Number(tiff, at + 8, 2, little));
    return Number(tiff, at + 2, 2, little) == kShort && value >= kUpright && value <= kLast ? value : kUpright;
  }
  return kUpright;
}

template <int kChannels>
void Reverse(const uint8_t* from, int pixels, uint8_t* to) {
  for (int x = pixels - 1; x >= 0; --x, to += kChannels) std::memcpy(to, from + x * kChannels, kChannels);
}

void CopyReversed(const uint8_t* from, int pixels, int channels, uint8_t* to) {
  (channels == 1 ? Reverse<1> : Reverse<3>)(from, pixels, to);
}

}  // namespace

int ReadOrientation(absl::Span<const std::byte> file, Format format) {
  const absl::string_view bytes(reinterpret_cast<const char*>(file.data()), file.size());
  absl::string_view exif = format == Format::kJpeg ? JpegExif(bytes) : ChunkExif(bytes, format == Format::kPng);
  if (absl::StartsWith(exif, kExifStart)) exif.remove_prefix(kExifStart.size());
  return OrientationOf(exif);
}

// Measured with 12 megapixels, and with 48, whose memory is fresh each time (Scratch).
double TurnNanoseconds(const Header& header, int orientation) {
  const double a_pixel = SwapsSides(orientation) ? 3.5 : orientation > 2 ? 2 : (orientation - 1) * 0.5;
  return a_pixel * header.width * header.height;
}

Turner::Turner(int orientation, int width, int height, int channels, Scratch& scratch)
    : orientation_(orientation), width_(width), height_(height), channels_(channels) {
  const size_t row_bytes = static_cast<size_t>(width) * channels;
  if (orientation > 2) image_ = scratch.stored.Take(row_bytes * height);
  if (orientation > 1) {
    strip_ = scratch.strip.Take(SwapsSides(orientation) ? size_t{kStrip} * height * channels : row_bytes);
  }
}

void Turner::Push(const uint8_t* row, DecodedRowSink out) {
  if (orientation_ == 1) return out(row);
  if (orientation_ == 2) {
    CopyReversed(row, width_, channels_, strip_);
    return out(strip_);
  }
  const size_t row_bytes = static_cast<size_t>(width_) * channels_;
  std::memcpy(image_ + next_ * row_bytes, row, row_bytes);
  if (++next_ == height_) PutOut(out);
}

void Turner::PutOut(DecodedRowSink out) {
  if (!SwapsSides(orientation_)) {
    for (int y = height_ - 1; y >= 0; --y) {
      const uint8_t* row = image_ + static_cast<size_t>(y) * width_ * channels_;
      if (orientation_ == 3) {
        CopyReversed(row, width_, channels_, strip_);
        row = strip_;
      }
      out(row);
    }
    return;
  }
  const bool from_left = orientation_ == 5 || orientation_ == 6;
  for (int done = 0; done < width_; done += kStrip) {
    const int count = std::min(kStrip, width_ - done);
    const int first = from_left ? done : width_ - done - count;
    channels_ == 1 ? FillStrip<1>(first, count) : FillStrip<3>(first, count);
    for (int i = 0; i < count; ++i) {
      out(strip_ + static_cast<size_t>(from_left ? i : count - 1 - i) * height_ * channels_);
    }
  }
}

// A strip at a time: a column alone would touch as much memory as the strip does.
template <int kChannels>
void Turner::FillStrip(int first, int count) {
  const bool from_bottom = orientation_ == 6 || orientation_ == 7;
  for (int i = 0; i < height_; ++i) {
    const int y = from_bottom ? height_ - 1 - i : i;
    const uint8_t* from = image_ + (static_cast<size_t>(y) * width_ + first) * kChannels;
    for (int x = 0; x < count; ++x, from += kChannels) {
      std::memcpy(strip_ + (static_cast<size_t>(x) * height_ + i) * kChannels, from, kChannels);
    }
  }
}

}  // namespace resnetd::image
