// libpng's low-level interface. The library gives 8-bit grey, RGB or palette indices, or 16-bit grey, and the rest is
// done here as Pillow does it: grey of 16 bits saturates (65535 and 256 both become 255), other 16-bit samples lose
// their low byte, and what a palette does not hold is black.
//
// Only the chunks that make the pixels are looked at. All others are passed over, neither kept nor unpacked: colour
// profiles and texts may unpack to a thousand times their size.
#include <csetjmp>
#include <cstring>
#include <vector>

#include <png.h>

#include "absl/strings/str_cat.h"
#include "engine/image/colour.h"
#include "engine/image/decode.h"

namespace resnetd::image {
namespace {

class PngDecoder {
 public:
  PngDecoder(absl::Span<const std::byte> file, const Header& header, int channels)
      : file_(file), width_(header.width), height_(header.height), channels_(channels) {}
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  absl::Status Decode(DecodedRowSink sink) {
    if (!Guarded([&] { ReadHeader(); })) return Failed();
    if (kind_ == PNG_COLOR_TYPE_PALETTE) FillPalette();
    line_.resize(static_cast<size_t>(width_) * channels_);
    if (absl::Status s = interlaced_ ? DecodeWhole(sink) : DecodeRows(sink); !s.ok()) return s;
    // The rest of the file: its checksums, and that it is there.
    if (!Guarded([&] { png_read_end(png_, nullptr); })) return Failed();
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

  static void Read(png_structp png, png_bytep to, size_t size) {
    auto* self = static_cast<PngDecoder*>(png_get_io_ptr(png));
    if (size > self->file_.size() - self->at_) {
      self->truncated_ = true;
      png_error(png, "end of file");
    }
    std::memcpy(to, self->file_.data() + self->at_, size);
    self->at_ += size;
  }

  void ReadHeader() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, GiveUp, [](png_structp, png_const_charp) {});
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      std::strncpy(message_, "not enough memory", sizeof message_ - 1);
      std::longjmp(jump_, 1);
    }
    png_set_read_fn(png_, this, Read);
    png_set_user_limits(png_, static_cast<png_uint_32>(width_), static_cast<png_uint_32>(height_));
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_read_info(png_, info_);

    const int type = png_get_color_type(png_, info_), bits = png_get_bit_depth(png_, info_);
    kind_ = type & ~PNG_COLOR_MASK_ALPHA;
    grey16_ = type == PNG_COLOR_TYPE_GRAY && bits == 16;
    if (!grey16_) png_set_strip_16(png_);
    if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png_);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_packing(png_);
    png_set_strip_alpha(png_);
    interlaced_ = png_set_interlace_handling(png_) > 1;
    png_read_update_info(png_, info_);
  }

  void FillPalette() {
    png_colorp colours = nullptr;
    int count = 0;
    png_get_PLTE(png_, info_, &colours, &count);
    for (int i = 0; i < count; ++i) {
      palette_[i][0] = colours[i].red;
      palette_[i][1] = colours[i].green;
      palette_[i][2] = colours[i].blue;
    }
  }

  absl::Status DecodeRows(DecodedRowSink sink) {
    raw_.resize(png_get_rowbytes(png_, info_));
    for (int y = 0; y < height_; ++y) {
      if (!Guarded([&] { png_read_row(png_, raw_.data(), nullptr); })) return Failed();
      sink(Convert(raw_.data()));
    }
    return absl::OkStatus();
  }

  // Interlaced rows are complete only with the last of seven passes over the image.
  absl::Status DecodeWhole(DecodedRowSink sink) {
    const size_t row_bytes = png_get_rowbytes(png_, info_);
    raw_.resize(row_bytes * height_);
    constexpr int kPasses = 7;
    const auto read = [&] {
      for (int pass = 0; pass < kPasses; ++pass) {
        for (int y = 0; y < height_; ++y) png_read_row(png_, raw_.data() + y * row_bytes, nullptr);
      }
    };
    if (!Guarded(read)) return Failed();
    for (int y = 0; y < height_; ++y) sink(Convert(raw_.data() + y * row_bytes));
    return absl::OkStatus();
  }

  // To `channels_` bytes a pixel; `raw` may be overwritten.
  const uint8_t* Convert(uint8_t* raw) {
    if (kind_ == PNG_COLOR_TYPE_PALETTE) return LookUp(raw);
    if (kind_ == PNG_COLOR_TYPE_RGB) {
      if (channels_ == 3) return raw;
      RgbToGrey(raw, width_, line_.data());
      return line_.data();
    }
    if (grey16_) {
      for (int x = 0; x < width_; ++x) raw[x] = raw[2 * x] != 0 ? 255 : raw[2 * x + 1];
    }
    if (channels_ == 1) return raw;
    GreyToRgb(raw, width_, line_.data());
    return line_.data();
  }

  const uint8_t* LookUp(const uint8_t* indices) {
    uint8_t* out = line_.data();
    for (int x = 0; x < width_; ++x, out += channels_) {
      const uint8_t* colour = palette_[indices[x]];
      if (channels_ == 3) {
        std::memcpy(out, colour, 3);
      } else {
        *out = GreyOf(colour[0], colour[1], colour[2]);
      }
    }
    return line_.data();
  }

  absl::Status Failed() const {
    if (truncated_) {
      return absl::InvalidArgumentError(
          absl::StrCat("truncated PNG file: its ", file_.size(), " bytes end before the image does"));
    }
    return absl::InvalidArgumentError(absl::StrCat("damaged PNG file: ", message_));
  }

  const absl::Span<const std::byte> file_;
  const int width_, height_, channels_;
  size_t at_ = 0;  // of the file
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_{};
  char message_[128] = {};
  bool truncated_ = false;

  int kind_ = 0;  // PNG_COLOR_TYPE_GRAY, _RGB or _PALETTE
  bool grey16_ = false, interlaced_ = false;
  uint8_t palette_[256][3] = {};
  std::vector<uint8_t> raw_, line_;  // as the library gives them; converted
};

}  // namespace

absl::Status DecodePng(absl::Span<const std::byte> file, const Header& header, int channels, DecodedRowSink sink) {
  return PngDecoder(file, header, channels).Decode(sink);
}

}  // namespace resnetd::image
