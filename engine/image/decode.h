#ifndef RESNETD_ENGINE_IMAGE_DECODE_H_
#define RESNETD_ENGINE_IMAGE_DECODE_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/image/image.h"

// The decoders, one file each. All give the pixels that Pillow's Image.open(file).convert() gives, mode "L" for 1
// channel and "RGB" for 3, transparency dropped, and read the file to its end.
namespace resnetd::image {

// Takes the rows from top to bottom, header.height of them, each valid during the call: header.width pixels of
// `channels` interleaved bytes.
using DecodedRowSink = absl::FunctionRef<void(const uint8_t* row)>;

// `header` is what Sniff() read: memory is bounded by it. INVALID_ARGUMENT: damaged, truncated or of an unknown kind;
// rows may have been given until then.
absl::Status DecodeJpeg(absl::Span<const std::byte> file, const Header& header, int channels, DecodedRowSink sink);
absl::Status DecodePng(absl::Span<const std::byte> file, const Header& header, int channels, DecodedRowSink sink);
absl::Status DecodeWebp(absl::Span<const std::byte> file, const Header& header, int channels, DecodedRowSink sink);

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_DECODE_H_
