#ifndef RESNETD_ENGINE_IMAGE_IMAGE_H_
#define RESNETD_ENGINE_IMAGE_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/image/recipe.h"

// Turns the bytes of a file, as the camera or the web gave them, into the tensor the network was trained on.
namespace resnetd::image {

enum class Format : uint8_t { kJpeg, kPng, kWebp };

// The facts that a file declares about itself. They are cheap: nothing is decoded.
struct Header {
  Format format = Format::kJpeg;
  int width = 0, height = 0;
  // These make an image of this size dear or cheap to decode.
  int scans = 1;            // of a JPEG file: how often the decoder passes over the image
  int planes = 1;           // JPEG: colour components of all scans, one added to the other
  bool arithmetic = false;  // JPEG: arithmetic coding
  int bits = 8;             // a pixel of a PNG file
  bool interlaced = false;  // PNG
  bool lossless = false;    // WebP, as far as the first chunk says
};

// Each scan of a JPEG file passes over the whole image again: with 50 million pixels, a megabyte of empty scans costs a
// minute. Encoders write about 10.
constexpr int kMaxScans = 100;

struct Limits {
  // Width x height. Bounds the time to decode, and the memory where a format needs the whole image at once: 3 bytes a
  // pixel for an interlaced PNG, 4 if it is composed on black, up to 8 for a progressive JPEG or a WebP, and 3 more for
  // what is turned upright. Other files take a few rows. Beside it a lossless WebP may bring 65,536 tables of codes,
  // 370 MB, which libwebp has no limit for.
  int64_t max_pixels = 50'000'000;
  int max_side = 65'500;  // JPEG's own limit
};

// Tells the format by the first bytes and reads the declared size. INVALID_ARGUMENT: empty, none of these formats,
// truncated before the size, a size of zero or above the limits (which it names), or too many scans.
absl::StatusOr<Header> Sniff(absl::Span<const std::byte> bytes, const Limits& limits);

// Whether it is `limits.max_pixels`, and nothing else, that Sniff() refuses the file for: whoever has an option for it
// can name it.
bool HasTooManyPixels(absl::Span<const std::byte> file, const Limits& limits);

// Predicts roughly how long decoding and resizing a file of `bytes` takes on one core.
double DecodeNanoseconds(const Header& header, size_t bytes);

// Float destination of one image; element (y, x, c) at data + y * row + x * pixel + c * channel, strides in floats.
struct TensorView {
  float* data = nullptr;
  int height = 0, width = 0, channels = 0;
  ptrdiff_t row = 0, pixel = 0, channel = 0;
};

// Unsigned bytes of one image, rows packed.
struct PixelView {
  const uint8_t* data = nullptr;
  int height = 0, width = 0, channels = 0;
  bool planar = false;  // NCHW, a plane a channel; else NHWC, interleaved
};

// Carries out recipes, which Validate() must have accepted. Keeps its buffers between images, so that a warm one asks
// for no memory but what the libraries ask for; those of a very large image are given back
// (Scratch in decode/decode.h). One thread at a time.
class Preprocessor {
 public:
  explicit Preprocessor(const Limits& limits = {});
  ~Preprocessor();
  Preprocessor(Preprocessor&&) noexcept;
  Preprocessor& operator=(Preprocessor&&) noexcept;

  // Decodes to the last byte, resizes as the recipe's library does, crops, normalises into `dst`, whose size is the
  // recipe's. INVALID_ARGUMENT: a file Sniff() refuses, one that is damaged or truncated, or a size that a recipe
  // without resize does not take; any file, if the recipe takes none. RESOURCE_EXHAUSTED: too little memory. `dst` is
  // then undefined.
  absl::Status FromFile(absl::Span<const std::byte> file, const Recipe& recipe, const TensorView& dst);
  // The same of a file whose header Sniff() has read, within the same limits.
  absl::Status FromFile(absl::Span<const std::byte> file, const Header& header, const Recipe& recipe,
                        const TensorView& dst);

  // Bytes between the segments of the last JPEG file that belong to none. They are passed over, and tell of damage on
  // the way.
  int64_t stray_bytes() const;

  // The same from decoded pixels of the recipe's colour order and as many channels. Pixels of exactly the
  // input's size are only normalised, whatever the recipe's resize says.
  absl::Status FromPixels(const PixelView& pixels, const Recipe& recipe, const TensorView& dst);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_IMAGE_H_
