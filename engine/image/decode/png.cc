// libpng's interface that is pushed the bytes, since only there a row comes as soon as its last byte has. The library
// gives 8-bit grey, RGB or palette indices, or 16-bit grey, and the rest is done here as Pillow does it: grey of 16
// bits saturates (65535 and 256 both become 255), other 16-bit samples lose their low byte, and what a palette does not
// hold is black.
//
// Only the chunks that make the pixels are looked at. All others are passed over, neither kept nor unpacked: colour
// profiles and texts may unpack to a thousand times their size.
//
// Pillow decides which files are accepted: every checksum up to the pixels must be right, those of the pixels are not
// looked at (zlib has its own), and with the last pixel the image is complete, whatever is missing or wrong behind it,
// but for a chunk that breaks off in its content.
#include <algorithm>
#include <csetjmp>
#include <cstring>

#include <png.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "engine/image/decode/colour.h"
#include "engine/image/decode/decode.h"

namespace resnetd::image {
namespace {

class PngDecoder {
 public:
  PngDecoder(absl::Span<const std::byte> file, const Header& header, const DecodeOptions& options, DecodedRowSink sink)
      : file_(file),
        width_(header.width),
        height_(header.height),
        channels_(options.channels),
        on_black_(options.alpha == Alpha::kBlack),
        scratch_(options.scratch != nullptr ? *options.scratch : own_scratch_),
        sink_(sink) {}
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  absl::Status Decode() {
    const bool failed = !Guarded([&] { Process(); });
    const bool complete = rows_left_ == 0;
    if (!complete && failed) return Damaged(message_);
    const End end = FindEnd();
    if (end == End::kInContent || (end == End::kBetween && !complete)) return Truncated();
    if (!complete) return Damaged("the compressed pixels are wrong or too few");
    for (int y = 0; interlaced_ && y < height_; ++y) sink_(Convert(whole_ + y * row_bytes_));
    return absl::OkStatus();
  }

 private:
  // Runs `step`, which calls the library and owns nothing; false if the library gave up, with the reason in message_.
  template <typename Step>
  bool Guarded(Step step) {
    if (setjmp(jump_) != 0) return false;
    step();
    return true;
  }

  [[noreturn]] static void GiveUp(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngDecoder*>(png_get_error_ptr(png));
    std::strncpy(self->message_, message, sizeof self->message_ - 1);
    std::longjmp(self->jump_, 1);
  }

  static PngDecoder& Self(png_structp png) { return *static_cast<PngDecoder*>(png_get_progressive_ptr(png)); }

  void Process() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, GiveUp, [](png_structp, png_const_charp) {});
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      std::strncpy(message_, "not enough memory", sizeof message_ - 1);
      std::longjmp(jump_, 1);
    }
    png_set_user_limits(png_, static_cast<png_uint_32>(width_), static_cast<png_uint_32>(height_));
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_progressive_read_fn(
        png_, this, [](png_structp png, png_infop) { Self(png).BeginPixels(); },
        [](png_structp png, png_bytep row, png_uint_32 y, int) { Self(png).TakeRow(row, y); }, nullptr);
    // It only reads them.
    auto* bytes = const_cast<png_bytep>(reinterpret_cast<png_const_bytep>(file_.data()));
    png_process_data(png_, info_, bytes, file_.size());
  }

  void BeginPixels() {
    const int type = png_get_color_type(png_, info_), bits = png_get_bit_depth(png_, info_);
    kind_ = type & ~PNG_COLOR_MASK_ALPHA;
    grey16_ = type == PNG_COLOR_TYPE_GRAY && bits == 16;
    if (!grey16_) png_set_strip_16(png_);
    if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png_);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_packing(png_);
    // A palette is composed on black instead of the pixels.
    const bool one_is_transparent = kind_ != PNG_COLOR_TYPE_PALETTE && png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;
    with_alpha_ = on_black_ && (one_is_transparent || (type & PNG_COLOR_MASK_ALPHA) != 0);
    if (!with_alpha_) {
      png_set_strip_alpha(png_);
    } else if (one_is_transparent) {
      png_set_tRNS_to_alpha(png_);
    }
    if (kind_ == PNG_COLOR_TYPE_PALETTE) FillPalette();
    interlaced_ = png_set_interlace_handling(png_) > 1;
    png_set_crc_action(png_, PNG_CRC_QUIET_USE, PNG_CRC_NO_CHANGE);
    CountRows();
    png_read_update_info(png_, info_);
    row_bytes_ = png_get_rowbytes(png_, info_);
    if (interlaced_) whole_ = scratch_.decoded.Take(row_bytes_ * height_);
    line_ = scratch_.row.Take(static_cast<size_t>(width_) * channels_);
  }

  // Counts the rows of all passes; a pass without a column has none. TakeRow() is no measure: it gets each row of the
  // first pass eight times, for instance.
  void CountRows() {
    const auto width = static_cast<png_uint_32>(width_), height = static_cast<png_uint_32>(height_);
    constexpr int kPasses = 7;
    rows_left_ = interlaced_ ? 0 : height;
    for (int pass = 0; interlaced_ && pass < kPasses; ++pass) {
      if (PNG_PASS_COLS(width, pass) > 0) rows_left_ += PNG_PASS_ROWS(height, pass);
    }
    png_set_read_user_transform_fn(png_, [](png_structp png, png_row_infop, png_bytep) { --Self(png).rows_left_; });
  }

  void FillPalette() {
    png_colorp colours = nullptr;
    int count = 0;
    png_get_PLTE(png_, info_, &colours, &count);
    png_bytep alphas = nullptr;
    int alpha_count = 0;
    if (on_black_) png_get_tRNS(png_, info_, &alphas, &alpha_count, nullptr);
    for (int i = 0; i < count; ++i) {
      const uint8_t alpha = i < alpha_count ? alphas[i] : 255;
      const uint8_t colour[] = {colours[i].red, colours[i].green, colours[i].blue, alpha};
      ComposeOnBlack(colour, 1, 3, palette_[i]);
    }
  }

  // Interlaced rows are complete only with the last pass over the image.
  void TakeRow(uint8_t* row, size_t y) {
    if (row == nullptr) return;  // not in this pass
    if (interlaced_) {
      png_progressive_combine_row(png_, whole_ + y * row_bytes_, row);
    } else {
      sink_(Convert(row));
    }
  }

  // Converts a row to `channels_` bytes a pixel; `raw` may be overwritten.
  const uint8_t* Convert(uint8_t* raw) {
    if (kind_ == PNG_COLOR_TYPE_PALETTE) return LookUp(raw);
    if (grey16_) {
      for (int i = 0; i < (with_alpha_ ? 2 : 1) * width_; ++i) raw[i] = raw[2 * i] != 0 ? 255 : raw[2 * i + 1];
    }
    if (with_alpha_) ComposeOnBlack(raw, width_, kind_ == PNG_COLOR_TYPE_RGB ? 3 : 1, raw);
    if (kind_ == PNG_COLOR_TYPE_RGB) {
      if (channels_ == 3) return raw;
      RgbToGrey(raw, width_, line_);
      return line_;
    }
    if (channels_ == 1) return raw;
    GreyToRgb(raw, width_, line_);
    return line_;
  }

  const uint8_t* LookUp(const uint8_t* indices) {
    uint8_t* out = line_;
    for (int x = 0; x < width_; ++x, out += channels_) {
      const uint8_t* colour = palette_[indices[x]];
      if (channels_ == 3) {
        std::memcpy(out, colour, 3);
      } else {
        *out = GreyOf(colour[0], colour[1], colour[2]);
      }
    }
    return line_;
  }

  enum class End { kWhole, kBetween, kInContent };

  // Finds the file's end: behind its last chunk, or where some chunk's content or another chunk is missing. Pillow
  // reads an animation as far as the second frame.
  End FindEnd() const {
    constexpr size_t kSignature = 8, kHeader = 8, kChecksum = 4;
    bool animated = false, pixels_seen = false;
    size_t at = std::min(kSignature, file_.size());
    while (file_.size() - at >= kHeader) {
      const auto* chunk = reinterpret_cast<png_const_bytep>(file_.data()) + at;
      const absl::string_view name(reinterpret_cast<const char*>(chunk) + 4, 4);
      if (name == "IEND" || (name == "fcTL" && animated && pixels_seen)) return End::kWhole;
      if (!std::all_of(name.begin(), name.end(), absl::ascii_isalnum))
        return End::kWhole;  // whatever follows is no chunk
      at += kHeader;
      const size_t length = png_get_uint_32(chunk);
      if (length > file_.size() - at) return name == "IDAT" ? End::kBetween : End::kInContent;
      animated |= name == "acTL" && length >= 4 && png_get_uint_32(chunk + kHeader) > 1;
      pixels_seen |= name == "IDAT";
      at += std::min(length + kChecksum, file_.size() - at);
    }
    return End::kBetween;
  }

  static absl::Status Damaged(absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("damaged PNG file: ", what));
  }
  absl::Status Truncated() const {
    return absl::InvalidArgumentError(
        absl::StrCat("truncated PNG file: its ", file_.size(), " bytes end before the image does"));
  }

  const absl::Span<const std::byte> file_;
  const int width_, height_, channels_;
  const bool on_black_;
  Scratch own_scratch_;
  Scratch& scratch_;
  const DecodedRowSink sink_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_{};
  char message_[128] = {};

  int kind_ = 0;  // PNG_COLOR_TYPE_GRAY, _RGB or _PALETTE
  bool grey16_ = false, with_alpha_ = false, interlaced_ = false;
  png_uint_32 rows_left_ = 1;  // to be unpacked
  uint8_t palette_[256][3] = {};
  size_t row_bytes_ = 0;      // as the library gives them
  uint8_t* whole_ = nullptr;  // all rows of an interlaced image
  uint8_t* line_ = nullptr;   // a converted row
};

}  // namespace

absl::Status DecodePng(absl::Span<const std::byte> file, const Header& header, const DecodeOptions& options,
                       DecodedRowSink sink) {
  return PngDecoder(file, header, options, sink).Decode();
}

}  // namespace resnetd::image
