// Predicted from the size that the header declares and from the file's, by rates measured on one core with made files
// (bench/image/cost_bench.cc, which prints what is left between them). A pixel costs something in any case (its
// transform, its colour, its part in the resize), a byte of the file what its unpacking costs:
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
#include <algorithm>

#include "engine/image/image.h"

namespace resnetd::image {
namespace {

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

double DecodeNanoseconds(const Header& header, size_t bytes) {
  return kNanosecondsAnInput + header.height * kNanosecondsARow + Unpacking(header, bytes);
}

}  // namespace resnetd::image
