// Compares the time that files cost with the prediction that admission uses (DecodeNanoseconds): prints a Markdown
// table.
//
//   cost_bench [--folder PHOTOS]
//
// Time is the thread's own on a processor, the least of a few rounds, from the file's bytes to an input of 224x224. The
// files are of three kinds: what encoders write of noise, which is the worst they can be given; what was made to be
// dear, a megapixel or 50 of it in few bytes; and of those of tests/support/image_hostile.h the one that costs the most
// beside its price. Where Debian's libraries differ so do the figures.
#include <algorithm>
#include <cstdint>
#include <cstdio>  // jpeglib.h needs FILE
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <jpeglib.h>
#include <webp/encode.h>
#include <zlib.h>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/image/image.h"
#include "tests/support/image_golden.h"
#include "tests/support/image_hostile.h"
#include "tests/support/image_large.h"

namespace resnetd::image {
namespace {

using std::string_literals::operator""s;

constexpr int kSide = 1000;

std::vector<uint8_t> Noise(size_t bytes) {
  std::mt19937 random(1);
  std::vector<uint8_t> noise(bytes);
  for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random());
  return noise;
}

// An encoder of libjpeg's that writes to memory.
class JpegEncoder {
 public:
  explicit JpegEncoder(int components) {
    info.err = jpeg_std_error(&errors_);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &bytes_, &size_);
    info.image_width = info.image_height = kSide;
    info.input_components = components;
    info.in_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&info);
  }
  ~JpegEncoder() {
    jpeg_destroy_compress(&info);
    std::free(bytes_);
  }
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;

  std::string Finish() {
    jpeg_finish_compress(&info);
    return {reinterpret_cast<char*>(bytes_), size_};
  }

  jpeg_compress_struct info{};

 private:
  jpeg_error_mgr errors_{};
  unsigned char* bytes_ = nullptr;
  unsigned long size_ = 0;  // NOLINT(google-runtime-int): the library's signature
};

std::string NoiseJpeg(int quality, bool whole_colours, bool progressive, bool arithmetic, int components = 3) {
  JpegEncoder encoder(components);
  jpeg_compress_struct& info = encoder.info;
  jpeg_set_quality(&info, quality, TRUE);
  if (whole_colours) info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
  if (progressive) jpeg_simple_progression(&info);
  info.arith_code = arithmetic;
  const size_t row_bytes = size_t{1} * components * kSide;
  std::vector<uint8_t> pixels = Noise(row_bytes * kSide);
  jpeg_start_compress(&info, TRUE);
  for (int y = 0; y < kSide; ++y) {
    JSAMPROW row = pixels.data() + row_bytes * y;
    jpeg_write_scanlines(&info, &row, 1);
  }
  return encoder.Finish();
}

// In arithmetic coding, which tells many times as much in a byte as Huffman's: of each block all frequencies are
// `value`, or the highest is, before which the others are told one by one to be none.
std::string ArithmeticJpeg(int components, std::vector<jpeg_scan_info> scans, int value, bool highest_only) {
  JpegEncoder encoder(components);
  jpeg_compress_struct& info = encoder.info;
  jpeg_set_colorspace(&info, info.in_color_space == JCS_RGB ? JCS_YCbCr : info.in_color_space);
  info.arith_code = TRUE;
  if (!scans.empty()) {
    info.scan_info = scans.data();
    info.num_scans = static_cast<int>(scans.size());
  }
  constexpr JDIMENSION kBlocks = kSide / 8;
  std::vector<jvirt_barray_ptr> planes;
  for (int c = 0; c < components; ++c) {
    info.comp_info[c].h_samp_factor = info.comp_info[c].v_samp_factor = 1;
    planes.push_back((*info.mem->request_virt_barray)(reinterpret_cast<j_common_ptr>(&info), JPOOL_IMAGE, TRUE, kBlocks,
                                                      kBlocks, 1));
  }
  jpeg_write_coefficients(&info, planes.data());
  for (jvirt_barray_ptr plane : planes) {
    for (JDIMENSION y = 0; y < kBlocks; ++y) {
      JBLOCKARRAY rows =
          (*info.mem->access_virt_barray)(reinterpret_cast<j_common_ptr>(&info), plane, y, 1, /*writable=*/TRUE);
      for (JDIMENSION x = 0; x < kBlocks; ++x) {
        for (int k = highest_only ? DCTSIZE2 - 1 : 1; k < DCTSIZE2; ++k) rows[0][x][k] = static_cast<JCOEF>(value);
      }
    }
  }
  return encoder.Finish();
}

// Scan `index` that many times in a row.
std::string WithScanRepeated(const std::string& file, int index, size_t times) {
  size_t begin = file.find("\xFF\xDA");
  for (int i = 0; i < index; ++i) begin = file.find("\xFF\xDA", begin + 1);
  const size_t next = file.find("\xFF\xDA", begin + 1), end = next == file.npos ? file.size() - 2 : next;
  return absl::StrCat(file.substr(0, begin), Repeated(file.substr(begin, end - begin), times), file.substr(end));
}

std::string Zlib(const std::string& raw) {
  std::string packed(compressBound(raw.size()), '\0');
  uLongf size = packed.size();
  if (compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(raw.data()), raw.size(),
                6) != Z_OK) {
    throw std::runtime_error("zlib cannot pack");
  }
  packed.resize(size);
  return packed;
}

// Returns a PNG that repeats one row of noise, each byte told as its difference from what three neighbours predict.
std::string NoisePng(int bits, int type, int bytes_a_pixel, int rows = kSide, const std::string& before_pixels = "") {
  const size_t row_bytes = size_t{1} * bytes_a_pixel * kSide;
  const std::vector<uint8_t> noise = Noise(row_bytes * rows);
  std::string raw;
  for (int y = 0; y < kSide; ++y) {
    constexpr char kPaeth = 4;
    raw += kPaeth;
    raw.append(reinterpret_cast<const char*>(noise.data()) + y % rows * row_bytes, row_bytes);
  }
  const std::string packed = Zlib(raw);
  return absl::StrCat(
      "\x89PNG\r\n\x1A\n",
      PngChunk("IHDR", absl::StrCat(Number(kSide, 4), Number(kSide, 4), Number(bits, 1), Number(type, 1), "\0\0\0"s)),
      PngChunk("IDAT", packed.substr(0, 2) + before_pixels + packed.substr(2)), PngChunk("IEND", ""));
}

std::string NoiseWebp(float quality, bool lossless) {
  const std::vector<uint8_t> noise = Noise(size_t{3} * kSide * kSide);
  uint8_t* bytes = nullptr;
  const size_t size = lossless ? WebPEncodeLosslessRGB(noise.data(), kSide, kSide, 3 * kSide, &bytes)
                               : WebPEncodeRGB(noise.data(), kSide, kSide, 3 * kSide, quality, &bytes);
  std::string file(reinterpret_cast<char*>(bytes), size);
  WebPFree(bytes);
  return file;
}

struct Price {
  double predicted = 0, measured = 0;  // ms
  double ratio() const { return measured / predicted; }
};

double ThreadMilliseconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

// Returns nothing if the header alone is refused: such a file is never admitted.
std::optional<Price> PriceOf(const std::string& file) {
  const absl::StatusOr<Header> header = Sniff(AsBytes(file), Limits());
  if (!header.ok()) return std::nullopt;
  const Recipe recipe = *FindPreset("torchvision-v1");
  static Preprocessor preprocessor;
  static std::vector<float> tensor(size_t{3} * 224 * 224);
  Price price{DecodeNanoseconds(*header, file.size()) * 1e-6, 1e300};
  constexpr int kRounds = 3;
  for (int i = 0; i < kRounds; ++i) {
    const double start = ThreadMilliseconds();
    // Refused or not: both cost.
    preprocessor.FromFile(AsBytes(file), recipe, {tensor.data(), 224, 224, 3, 224, 1, 224 * 224}).IgnoreError();
    price.measured = std::min(price.measured, ThreadMilliseconds() - start);
  }
  return price;
}

void Print(const std::string& what, size_t bytes, const Price& price) {
  std::cout << absl::StrFormat("| %s | %d | %.2f | %.2f | %.2f |\n", what, bytes / 1024, price.predicted,
                               price.measured, price.ratio())
            << std::flush;
}

// Returns Deflate's codes of 8 and 9 bits for all literals and lengths and of 4 and 5 for all distances, in
// repetitions, and then the end of the block. Nothing takes longer to unpack for its bytes.
std::string TwoEmptyBlocks() {
  return "\xEC\x1D\x03\x60\x18\x30\x6C\xB6\x6D\xDB\xB6\x6D\xDB\xB6\x6D\xDB\xB6\x6D\xDB\xB6"
         "\x6D\xDC\xB6\x6D\xDB\x4C\x6A\xDB\x78\xC4\xDE\x31\x00\x86\x01\xC3\x66\xDB\xB6\x6D"
         "\xDB\xB6\x6D\xDB\xB6\x6D\xDB\xB6\x6D\xDB\xC6\x6D\xDB\xB6\xCD\xA4\xB6\x8D\x47"s;
}

struct Kind {
  const char* what;
  std::function<std::string()> make;  // one file at a time is in memory
};

std::vector<Kind> Kinds() {
  const std::vector<jpeg_scan_info> progressive = {{1, {0}, 0, 0, 0, 0}, {1, {0}, 1, 63, 0, 0}};
  const std::vector<jpeg_scan_info> three_of_four = {{3, {0, 1, 2}, 0, 63, 0, 0}, {1, {3}, 0, 63, 0, 0}};
  constexpr int kLargest = 1023;  // that any encoder writes
  const std::string empty_blocks = Repeated(TwoEmptyBlocks(), 50'000);
  return {
      {"JPEG of noise, quality 75, 4:2:0", [] { return NoiseJpeg(75, false, false, false); }},
      {"JPEG of noise, quality 100, 4:4:4", [] { return NoiseJpeg(100, true, false, false); }},
      {"the same, CMYK", [] { return NoiseJpeg(100, true, false, false, 4); }},
      {"the same, progressive", [] { return NoiseJpeg(100, true, true, false); }},
      {"the same, arithmetic coding", [] { return NoiseJpeg(100, true, false, true); }},
      {"the same, progressive, arithmetic coding", [] { return NoiseJpeg(100, true, true, true); }},
      {"PNG of noise, RGB", [] { return NoisePng(8, 2, 3); }},
      {"PNG of noise, RGBA of 16 bits", [] { return NoisePng(16, 6, 8); }},
      {"PNG of a row of noise, grey", [] { return NoisePng(8, 0, 1, 1); }},
      {"PNG of a row of noise, grey and alpha", [] { return NoisePng(8, 4, 2, 1); }},
      {"PNG of a row of noise, RGBA of 16 bits", [] { return NoisePng(16, 6, 8, 1); }},
      {"WebP of noise, quality 100", [] { return NoiseWebp(100, false); }},
      {"WebP of noise, lossless", [] { return NoiseWebp(100, true); }},
      {"50 megapixels: flat JPEG", [] { return LargeJpeg(3, false); }},
      {"50 megapixels: flat JPEG of 100 scans", [] { return LargeJpeg(3, true, 99); }},
      {"50 megapixels: flat PNG of 1 bit", [] { return LargePng(1, 0, 0, kLargePixels / 8 + kLargeHeight); }},
      {"50 megapixels: flat PNG of 64 bits", [] { return LargePng(16, 6, 0, kLargePixels * 8 + kLargeHeight); }},
      {"50 megapixels: flat PNG, interlaced", [] { return LargePng(8, 2, 1, kLargePixels * 3 + 3 * kLargeHeight); }},
      {"50 megapixels: flat WebP, lossless", [] { return LargeWebp(false); }},
      {"arithmetic coding, one component, large frequencies", [=] { return ArithmeticJpeg(1, {}, kLargest, false); }},
      {"arithmetic coding, four components, large frequencies", [=] { return ArithmeticJpeg(4, {}, kLargest, false); }},
      {"arithmetic coding, four components, the highest frequency", [] { return ArithmeticJpeg(4, {}, 1, true); }},
      {"arithmetic coding, 100 scans of one component",
       [=] { return WithScanRepeated(ArithmeticJpeg(1, progressive, 1, true), 1, 99); }},
      {"arithmetic coding, 100 scans of three components in four",
       [=] { return WithScanRepeated(ArithmeticJpeg(4, three_of_four, 1, true), 0, 99); }},
      {"PNG of 100,000 empty blocks before its pixels", [=] { return NoisePng(8, 0, 1, kSide, empty_blocks); }},
      {"WebP of 65,536 tables of codes", WebpOfTables},
  };
}

void PrintWorstHostile() {
  const HostileFile* worst = nullptr;
  Price price_of_worst{1, 0};
  const std::vector<HostileFile> files = AllHostileFiles();
  for (const HostileFile& file : files) {
    const std::optional<Price> price = PriceOf(file.bytes);
    if (!price.has_value() || price->ratio() <= price_of_worst.ratio()) continue;
    worst = &file;
    price_of_worst = *price;
  }
  Print(absl::StrCat("of ", files.size(), " hostile files the worst, ", worst->name), worst->bytes.size(),
        price_of_worst);
}

// All together.
void PrintPhotographs(const std::string& folder) {
  Price sum;
  size_t bytes = 0, count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string file{std::istreambuf_iterator<char>(in), {}};
    const std::optional<Price> price = PriceOf(file);
    if (!price.has_value()) throw std::runtime_error(entry.path().string() + ": expected an image");
    sum.predicted += price->predicted;
    sum.measured += price->measured;
    bytes += file.size();
    ++count;
  }
  Print(absl::StrCat(count, " photographs"), bytes, sum);
}

void Run(const std::string& folder) {
  std::cout << "| file | KiB | predicted, ms | measured, ms | measured / predicted |\n|---|---|---|---|---|\n";
  if (!folder.empty()) PrintPhotographs(folder);
  for (const Kind& kind : Kinds()) {
    const std::string file = kind.make();
    const std::optional<Price> price = PriceOf(file);
    if (!price.has_value()) throw std::runtime_error(absl::StrCat(kind.what, ": its header is refused"));
    Print(kind.what, file.size(), *price);
  }
  PrintWorstHostile();
}

}  // namespace
}  // namespace resnetd::image

int main(int argc, char** argv) {
  std::string folder;
  CLI::App app{"Compares what image files cost with what they are predicted to cost", "cost_bench"};
  app.add_option("--folder", folder, "Photographs, and nothing else")->check(CLI::ExistingDirectory);
  CLI11_PARSE(app, argc, argv);
  try {
    resnetd::image::Run(folder);
  } catch (const std::exception& error) {
    std::cerr << "cost_bench: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
