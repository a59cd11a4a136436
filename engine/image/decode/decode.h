#ifndef RESNETD_ENGINE_IMAGE_DECODE_DECODE_H_
#define RESNETD_ENGINE_IMAGE_DECODE_DECODE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/image/image.h"

// The decoders, one file each, and the memory that they work in. All give the pixels that Pillow's
// Image.open(file).convert() gives, mode "L" for 1 channel and "RGB" for 3, and read the file to its end.
namespace resnetd::image {

// Bytes that are written before they are read: what is too small is replaced, not grown and copied.
class ScratchBuffer {
 public:
  // Returns at least `bytes` bytes of any content, valid until the next call.
  uint8_t* Take(size_t bytes) {
    if (bytes > bytes_) {
      *this = {};  // first, or both would be held
      memory_ = std::make_unique_for_overwrite<uint8_t[]>(bytes);
      bytes_ = bytes;
    }
    return memory_.get();
  }
  size_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<uint8_t[]> memory_;
  size_t bytes_ = 0;
};

// The memory that an image needs beside the rows of its decoder and of its resize, kept for the worker's next image.
struct Scratch {
  // The 12 megapixels of a telephone, turned upright, are 36 MB, and touching as much fresh memory takes a third of the
  // time that all the rest does. Up to 50 megapixels may come, once perhaps, and a worker lives as long as the server.
  static constexpr size_t kMostKept = size_t{40} << 20;

  ScratchBuffer decoded;  // whole: an interlaced PNG, a WebP
  ScratchBuffer row;      // of a PNG, converted
  ScratchBuffer stored;   // whole: what is to be turned upright
  ScratchBuffer strip;    // turned rows

  // After each image: keeps all, or nothing if that is more than kMostKept.
  void Trim() {
    if (decoded.bytes() + row.bytes() + stored.bytes() + strip.bytes() > kMostKept) *this = {};
  }
};

struct DecodeOptions {
  int channels = 3;  // or 1
  Alpha alpha = Alpha::kDrop;
  int shrink = 1;  // of JPEG, or 2, 4, 8: as many pixels make up one in width and in height, parts rounded up
  int64_t* stray_bytes = nullptr;  // if not null: to it a JPEG file's bytes between segments are added
  Scratch* scratch = nullptr;      // if not null: the memory to use, one image at a time
};

// Takes the rows from top to bottom, header.height of them, each valid during the call: header.width pixels of
// `options.channels` interleaved bytes. Both are divided by `options.shrink`.
using DecodedRowSink = absl::FunctionRef<void(const uint8_t* row)>;

// `header` is what Sniff() read: memory is bounded by it. INVALID_ARGUMENT: damaged, truncated or of an unknown kind.
// RESOURCE_EXHAUSTED: too little memory. Rows may have been given until then.
absl::Status DecodeJpeg(absl::Span<const std::byte> file, const Header& header, const DecodeOptions& options,
                        DecodedRowSink sink);
absl::Status DecodePng(absl::Span<const std::byte> file, const Header& header, const DecodeOptions& options,
                       DecodedRowSink sink);
absl::Status DecodeWebp(absl::Span<const std::byte> file, const Header& header, const DecodeOptions& options,
                        DecodedRowSink sink);

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_DECODE_DECODE_H_
