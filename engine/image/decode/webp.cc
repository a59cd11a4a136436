// libwebp: its demuxer finds the frames, its decoder makes the pixels. Both as Pillow uses them: the file must be as
// long as its header says, what follows is not looked at, and of an animation the first frame is taken, black where
// that does not cover the canvas.
//
// The library decodes into one buffer for the whole image; it has no rows to give.
#include <cstring>
#include <memory>

#include <webp/decode.h>
#include <webp/demux.h>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/image/decode/colour.h"
#include "engine/image/decode/decode.h"

namespace resnetd::image {
namespace {

struct Delete {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

// RIFF's own count of the bytes behind it; the caller has checked that they are there.
uint64_t DeclaredBytes(const uint8_t* file) {
  constexpr uint64_t kBeforeCounting = 8;
  return kBeforeCounting +
         (uint64_t{file[4]} | uint64_t{file[5]} << 8 | uint64_t{file[6]} << 16 | uint64_t{file[7]} << 24);
}

absl::Status Damaged(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("damaged WebP file: ", what));
}

class WebpDecoder {
 public:
  WebpDecoder(absl::Span<const std::byte> file, const Header& header, const DecodeOptions& options)
      : file_(file),
        width_(header.width),
        height_(header.height),
        options_(options),
        scratch_(options.scratch != nullptr ? *options.scratch : own_scratch_) {}
  ~WebpDecoder() { WebPDemuxReleaseIterator(&frame_); }
  WebpDecoder(const WebpDecoder&) = delete;
  WebpDecoder& operator=(const WebpDecoder&) = delete;

  absl::Status Decode(DecodedRowSink sink) {
    RESNETD_RETURN_IF_ERROR(FindFrame());
    RESNETD_RETURN_IF_ERROR(DecodeFrame());
    const size_t row_bytes = size_t{1} * samples_ * width_;
    for (int y = 0; y < height_; ++y) {
      uint8_t* row = canvas_ + y * row_bytes;
      if (samples_ == kRgba) ComposeOnBlack(row, width_, kRgb, row);
      if (options_.channels == 1) RgbToGrey(row, width_, row);
      sink(row);
    }
    return absl::OkStatus();
  }

 private:
  static constexpr int kRgb = 3, kRgba = 4;

  absl::Status FindFrame() {
    const WebPData data{reinterpret_cast<const uint8_t*>(file_.data()), file_.size()};
    if (file_.size() < 8 || DeclaredBytes(data.bytes) > file_.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("truncated WebP file: its ", file_.size(), " bytes end before the image does"));
    }
    demuxer_.reset(WebPDemux(&data));
    if (demuxer_ == nullptr || WebPDemuxGetFrame(demuxer_.get(), 1, &frame_) == 0) return Damaged("expected a frame");
    if (WebPDemuxGetI(demuxer_.get(), WEBP_FF_CANVAS_WIDTH) != static_cast<uint32_t>(width_) ||
        WebPDemuxGetI(demuxer_.get(), WEBP_FF_CANVAS_HEIGHT) != static_cast<uint32_t>(height_)) {
      return Damaged("more than one size is declared");
    }
    return absl::OkStatus();
  }

  // The demuxer has seen to it that the frame lies inside the canvas.
  absl::Status DecodeFrame() {
    samples_ = options_.alpha == Alpha::kBlack && frame_.has_alpha != 0 ? kRgba : kRgb;
    const size_t bytes = size_t{1} * samples_ * width_ * height_;
    canvas_ = scratch_.decoded.Take(bytes);
    std::memset(canvas_, 0, bytes);
    WebPDecoderConfig config;
    if (WebPInitDecoderConfig(&config) == 0)
      return absl::InternalError("libwebp is not the one that was built against");
    const size_t first = (size_t{1} * frame_.y_offset * width_ + frame_.x_offset) * samples_;
    config.output.colorspace = samples_ == kRgba ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA = {canvas_ + first, samples_ * width_, bytes - first};
    const VP8StatusCode status = WebPDecode(frame_.fragment.bytes, frame_.fragment.size, &config);
    if (status == VP8_STATUS_OK) return absl::OkStatus();
    if (status == VP8_STATUS_OUT_OF_MEMORY && MemoryIsLacking()) {
      return absl::ResourceExhaustedError("not enough memory to decode the image");
    }
    return Damaged("its pixels cannot be decoded");
  }

  // libwebp 1.5 says so of a damaged alpha channel too, where 1.2 did not. Memory it is if there is none for the most
  // that the library may take beside the canvas (Limits::max_pixels).
  bool MemoryIsLacking() const {
    constexpr size_t kTables = size_t{370} << 20, kBytesAPixel = 5;  // ARGB and alpha
    void* most = WebPMalloc(kTables + kBytesAPixel * width_ * height_);
    WebPFree(most);
    return most == nullptr;
  }

  const absl::Span<const std::byte> file_;
  const int width_, height_;
  const DecodeOptions options_;
  Scratch own_scratch_;
  Scratch& scratch_;
  std::unique_ptr<WebPDemuxer, Delete> demuxer_;
  WebPIterator frame_{};
  int samples_ = kRgb;  // a pixel of the canvas
  uint8_t* canvas_ = nullptr;
};

}  // namespace

absl::Status DecodeWebp(absl::Span<const std::byte> file, const Header& header, const DecodeOptions& options,
                        DecodedRowSink sink) {
  return WebpDecoder(file, header, options).Decode(sink);
}

}  // namespace resnetd::image
