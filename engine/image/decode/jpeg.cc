// libjpeg-turbo with the settings Pillow decodes with: exact integer DCT, smooth chroma upsampling, both the library's
// defaults.
//
// Pillow also decides which files are accepted. The library's own memory source pads a truncated file with a false end
// and carries on in grey; ours has nothing to give when the bytes are used up, so that the library stops where it is
// ("suspends"), which is an error here. Its warnings (junk between segments, say) are none.
#include <cstdio>  // jpeglib.h needs FILE

#include <algorithm>
#include <csetjmp>

#include <jerror.h>
#include <jpeglib.h>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "engine/image/decode/colour.h"
#include "engine/image/decode/decode.h"

namespace resnetd::image {
namespace {

bool IsFrameHeader(int marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

class JpegDecoder {
 public:
  explicit JpegDecoder(absl::Span<const std::byte> file) : file_(file) {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = GiveUp;
    errors_.emit_message = Warn;
  }
  ~JpegDecoder() { jpeg_destroy_decompress(&info_); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  absl::Status Decode(const Header& header, const DecodeOptions& options, DecodedRowSink sink) {
    stray_bytes_ = options.stray_bytes;
    bool complete = false;
    if (!Guarded([&] { complete = ReadHeader(); })) return Failed();
    if (!complete) return Truncated();
    RESNETD_RETURN_IF_ERROR(CheckHeader(header));
    if (!Guarded([&] { complete = Start(options); })) return Failed();
    if (!complete) return Truncated();
    while (info_.output_scanline < info_.output_height) {
      if (!Guarded([&] { complete = jpeg_read_scanlines(&info_, &row_, 1) == 1; })) return Failed();
      if (!complete) return Truncated();
      Convert(options.channels);
      sink(row_);
    }
    // All pixels are there; as with Pillow, only the end marker may be missing.
    if (!Guarded([&] { complete = jpeg_finish_decompress(&info_); })) return Failed();
    if (!complete && IsFrameHeader(info_.unread_marker)) return Damaged("more than one frame");
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

  static void GiveUp(j_common_ptr info) {
    auto* self = static_cast<JpegDecoder*>(info->client_data);
    info->err->format_message(info, self->message_);
    std::longjmp(self->jump_, 1);
  }

  static void Warn(j_common_ptr info, int level) {
    auto* self = static_cast<JpegDecoder*>(info->client_data);
    if (level < 0 && info->err->msg_code == JWRN_EXTRANEOUS_DATA && self->stray_bytes_ != nullptr) {
      *self->stray_bytes_ += info->err->msg_parm.i[0];
    }
  }

  static void CheckScans(j_common_ptr info) {
    auto* self = static_cast<JpegDecoder*>(info->client_data);
    if (self->info_.input_scan_number <= kMaxScans) return;
    std::snprintf(self->message_, sizeof self->message_, "expected at most %d scans", kMaxScans);
    std::longjmp(self->jump_, 1);
  }

  static void Skip(j_decompress_ptr info, long bytes) {  // NOLINT(google-runtime-int): the library's signature
    if (bytes <= 0) return;
    const size_t skipped = std::min(static_cast<size_t>(bytes), info->src->bytes_in_buffer);
    info->src->next_input_byte += skipped;
    info->src->bytes_in_buffer -= skipped;
  }

  bool ReadHeader() {
    jpeg_create_decompress(&info_);
    source_.next_input_byte = reinterpret_cast<const JOCTET*>(file_.data());
    source_.bytes_in_buffer = file_.size();
    source_.init_source = [](j_decompress_ptr) {};
    source_.fill_input_buffer = [](j_decompress_ptr) -> boolean { return FALSE; };
    source_.skip_input_data = Skip;
    source_.resync_to_restart = jpeg_resync_to_restart;
    source_.term_source = [](j_decompress_ptr) {};
    info_.src = &source_;
    progress_.progress_monitor = CheckScans;
    info_.progress = &progress_;
    return jpeg_read_header(&info_, TRUE) == JPEG_HEADER_OK;
  }

  absl::Status CheckHeader(const Header& header) const {
    if (info_.image_width != static_cast<JDIMENSION>(header.width) ||
        info_.image_height != static_cast<JDIMENSION>(header.height)) {
      return Damaged("more than one size is declared");
    }
    if (info_.num_components != 1 && info_.num_components != 3 && info_.num_components != 4) {
      return Damaged(absl::StrCat("expected 1, 3 or 4 colour components, got ", info_.num_components));
    }
    return absl::OkStatus();
  }

  bool Start(const DecodeOptions& options) {
    if (info_.num_components == 4) {
      info_.out_color_space = JCS_CMYK;
    } else {
      info_.out_color_space = info_.num_components == 1 && options.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    }
    info_.scale_num = 1;
    info_.scale_denom = static_cast<unsigned int>(options.shrink);
    if (!jpeg_start_decompress(&info_)) return false;
    const JDIMENSION row_bytes = info_.output_width * static_cast<JDIMENSION>(info_.output_components);
    // Rows that begin at a multiple of 16 bytes the library writes past the caches, and we read them at once.
    constexpr JDIMENSION kOffset = 8;
    row_ = *info_.mem->alloc_sarray(reinterpret_cast<j_common_ptr>(&info_), JPOOL_IMAGE, row_bytes + kOffset, 1);
    row_ += kOffset;
    return true;
  }

  void Convert(int channels) {
    const int width = static_cast<int>(info_.output_width);
    if (info_.out_color_space == JCS_CMYK) InvertedCmykToRgb(row_, width, row_);
    if (info_.out_color_space != JCS_GRAYSCALE && channels == 1) RgbToGrey(row_, width, row_);
  }

  absl::Status Failed() const {
    // Arithmetic coding cannot wait for more bytes: the library gives up where it would suspend.
    if (errors_.msg_code == JERR_CANT_SUSPEND) return Truncated();
    if (errors_.msg_code == JERR_OUT_OF_MEMORY) {
      return absl::ResourceExhaustedError("not enough memory to decode the image");
    }
    return Damaged(message_);
  }
  static absl::Status Damaged(absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("damaged JPEG file: ", what));
  }
  absl::Status Truncated() const {
    return absl::InvalidArgumentError(
        absl::StrCat("truncated JPEG file: its ", file_.size(), " bytes end inside the image"));
  }

  const absl::Span<const std::byte> file_;
  int64_t* stray_bytes_ = nullptr;
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_{};
  char message_[JMSG_LENGTH_MAX] = {};
  JSAMPROW row_ = nullptr;
};

}  // namespace

absl::Status DecodeJpeg(absl::Span<const std::byte> file, const Header& header, const DecodeOptions& options,
                        DecodedRowSink sink) {
  return JpegDecoder(file).Decode(header, options, sink);
}

}  // namespace resnetd::image
