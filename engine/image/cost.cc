// Predicted from the size that the header declares and from the file's, by rates measured on one core with made images
// of 3 megapixels, flat to noise (Debian 12's libraries, AVX2). A pixel costs something in any case (its transform, its
// colour, its part in the resize), a byte of the file what its unpacking costs:
//
//                    ns a pixel                          ns a byte
//   JPEG             2                                   7.5
//   of n > 1 scans   2 + 0.65 n                          20
//   arithmetic       2 + 3.5 n                           90
//   PNG              2 + 1 for each byte of a pixel      18, at most 4.5 for each byte of all pixels; 70 for bytes that
//                                                        no encoder needs: Deflate's blocks may be empty
//   WebP             4                                   35
//   lossless         2                                   25, at most 14 a pixel
//
// and any file what an input of 224x224 takes. 100 photographs of 0.2 megapixels took 1.3 ms each and were predicted to
// take 1.4. Cheaper is what the rates cannot tell, scans without data or a PNG of one colour; dearer, by half a second,
// a lossless WebP of 65,536 tables.
#include <algorithm>

#include "engine/image/image.h"

namespace resnetd::image {
namespace {

constexpr double kNanosecondsAnInput = 150'000;

double Unpacking(const Header& header, size_t bytes) {
  const double pixels = static_cast<double>(header.width) * header.height, file = static_cast<double>(bytes);
  switch (header.format) {
    case Format::kJpeg:
      if (header.arithmetic) return pixels * (2 + 3.5 * header.scans) + file * 90;
      return header.scans > 1 ? pixels * (2 + 0.65 * header.scans) + file * 20 : pixels * 2 + file * 7.5;
    case Format::kPng: {
      const double raw = pixels * header.bits / 8;
      constexpr double kHeaders = 65'536;
      return pixels * 2 + raw + std::min(file * 18, raw * 4.5) + std::max(file - raw - kHeaders, 0.0) * 70;
    }
    case Format::kWebp:
      return header.lossless ? pixels * 2 + std::min(file * 25, pixels * 14) : pixels * 4 + file * 35;
  }
  return 0;
}

}  // namespace

double DecodeNanoseconds(const Header& header, size_t bytes) {
  return kNanosecondsAnInput + Unpacking(header, bytes);
}

}  // namespace resnetd::image
