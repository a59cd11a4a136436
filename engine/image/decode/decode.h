#ifndef RESNETD_ENGINE_IMAGE_DECODE_DECODE_H_
#define RESNETD_ENGINE_IMAGE_DECODE_DECODE_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/image/image.h"
#include "engine/image/scratch.h"

// The decoders, one file each. All give the pixels that Pillow's Image.open(file).convert() gives, mode "L" for 1
// channel and "RGB" for 3, and read the file to its end.
namespace resnetd::image {

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
