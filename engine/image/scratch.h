#ifndef RESNETD_ENGINE_IMAGE_SCRATCH_H_
#define RESNETD_ENGINE_IMAGE_SCRATCH_H_

#include <cstddef>
#include <cstdint>
#include <memory>

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

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_SCRATCH_H_
