#ifndef RESNETD_ENGINE_ARENA_H_
#define RESNETD_ENGINE_ARENA_H_

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#include "absl/types/span.h"
#include "engine/engine.h"

namespace resnetd {

// Memory that sessions borrow, aligned as they want it. One owner.
class Arena {
 public:
  explicit Arena(size_t bytes) : bytes_((bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment) {
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kArenaAlignment, bytes_)));
    if (memory_ == nullptr) throw std::bad_alloc();
  }
  absl::Span<std::byte> span() const { return {memory_.get(), bytes_}; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  size_t bytes_;
  std::unique_ptr<std::byte, Free> memory_;
};

}  // namespace resnetd

#endif  // RESNETD_ENGINE_ARENA_H_
