#include "models/runner.h"

#include <utility>

#include "base/status_macros.h"

namespace resnetd {

absl::StatusOr<Runner> Runner::Make(const Engine& engine, const image::Recipe& recipe, Workplace& workplace) {
  RESNETD_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, engine.NewSession(workplace.arena_.span()));
  return Runner(std::move(session), recipe, workplace);
}

absl::Status Runner::Decode(absl::string_view file, int i) {
  const absl::Span<const std::byte> bytes(reinterpret_cast<const std::byte*>(file.data()), file.size());
  return workplace_->preprocessor_.FromFile(bytes, recipe_, slot(i));
}

absl::Status Runner::Decode(absl::Span<const std::byte> file, const image::Header& header, int i) {
  return workplace_->preprocessor_.FromFile(file, header, recipe_, slot(i));
}

absl::Status Runner::Normalise(const image::PixelView& pixels, int i) {
  return workplace_->preprocessor_.FromPixels(pixels, recipe_, slot(i));
}

// The engine and the image box know nothing of each other. Strides of a slot are whole floats.
image::TensorView Runner::slot(int i) const {
  constexpr ptrdiff_t kFloat = sizeof(float);
  const SlotView slot = session_->slot(i);
  return {.data = reinterpret_cast<float*>(slot.data),
          .height = slot.height,
          .width = slot.width,
          .channels = slot.channels,
          .row = slot.row_bytes / kFloat,
          .pixel = slot.pixel_bytes / kFloat,
          .channel = slot.channel_bytes / kFloat};
}

}  // namespace resnetd
