#ifndef RESNETD_TESTS_SUPPORT_IMAGE_LARGE_H_
#define RESNETD_TESTS_SUPPORT_IMAGE_LARGE_H_

#include <cstddef>
#include <cstdint>
#include <string>

// Small files that take as much memory, and some of them as much time, as may be.
namespace resnetd::image {

constexpr int kLargeWidth = 10'000, kLargeHeight = 5'000;  // as many pixels as may be
constexpr int64_t kLargePixels = int64_t{kLargeWidth} * kLargeHeight;

// Zeros, `raw_bytes` of them.
std::string LargePng(int bits, int type, int interlace, size_t raw_bytes);

// Writes an image of one colour. `progressive`: the averages of all blocks in a first scan, then `passes` scans that
// change none of the frequencies, though the decoder looks at all of them.
std::string LargeJpeg(int components, bool progressive, int passes = 0);

// Lossless, of one colour.
std::string LargeWebp(bool alpha);

// A lossless file of one megapixel in which each 4x4 pixels have five codes of their own, 65,536 times.
std::string WebpOfTables();

}  // namespace resnetd::image

#endif  // RESNETD_TESTS_SUPPORT_IMAGE_LARGE_H_
