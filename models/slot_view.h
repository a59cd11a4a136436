#ifndef RESNETD_MODELS_SLOT_VIEW_H_
#define RESNETD_MODELS_SLOT_VIEW_H_

#include "engine/engine.h"
#include "engine/image/image.h"

namespace resnetd {

// A session's slot as the image box sees it: the engine and the image box know nothing of each other. Strides of a slot
// are whole floats.
inline image::TensorView ToTensorView(const SlotView& slot) {
  constexpr ptrdiff_t kFloat = sizeof(float);
  return {.data = reinterpret_cast<float*>(slot.data),
          .height = slot.height,
          .width = slot.width,
          .channels = slot.channels,
          .row = slot.row_bytes / kFloat,
          .pixel = slot.pixel_bytes / kFloat,
          .channel = slot.channel_bytes / kFloat};
}

}  // namespace resnetd

#endif  // RESNETD_MODELS_SLOT_VIEW_H_
