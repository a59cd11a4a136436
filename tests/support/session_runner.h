#ifndef RESNETD_TESTS_SUPPORT_SESSION_RUNNER_H_
#define RESNETD_TESTS_SUPPORT_SESSION_RUNNER_H_

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/types/span.h"
#include "engine/engine.h"

namespace resnetd {

// An engine with one session. The arena is full of NaN at first: what a step reads before another wrote it shows.
class SessionRunner {
 public:
  explicit SessionRunner(std::shared_ptr<const Engine> engine) : engine_(std::move(engine)) {
    const size_t bytes = engine_->arena_bytes();
    arena_.reset(static_cast<std::byte*>(std::aligned_alloc(kArenaAlignment, bytes)));
    std::fill_n(arena_.get(), bytes, std::byte{0xff});
    session_ = *engine_->NewSession({arena_.get(), bytes});
  }

  // `image` in the order C, H, W.
  void Write(int slot, absl::Span<const float> image) const {
    const SlotView view = session_->slot(slot);
    size_t i = 0;
    for (int c = 0; c < view.channels; ++c) {
      for (int y = 0; y < view.height; ++y) {
        for (int x = 0; x < view.width; ++x) {
          std::byte* to = view.data + y * view.row_bytes + x * view.pixel_bytes + c * view.channel_bytes;
          *reinterpret_cast<float*>(to) = image[i++];
        }
      }
    }
  }

  Session* operator->() const { return session_.get(); }
  const Engine& engine() const { return *engine_; }
  absl::Span<std::byte> arena() const { return {arena_.get(), engine_->arena_bytes()}; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };

  const std::shared_ptr<const Engine> engine_;
  std::unique_ptr<std::byte, Free> arena_;
  std::unique_ptr<Session> session_;
};

}  // namespace resnetd

#endif  // RESNETD_TESTS_SUPPORT_SESSION_RUNNER_H_
