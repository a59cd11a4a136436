#ifndef RESNETD_BASE_BYTES_H_
#define RESNETD_BASE_BYTES_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace resnetd {

// Bytes that stay where they are as long as somebody holds them. Copies and parts share them; the last one frees them.
// Thread-safe, as nobody writes to them.
class Bytes {
 public:
  Bytes() = default;
  // `owner` keeps `bytes`, and they do not change.
  Bytes(std::shared_ptr<const void> owner, absl::string_view bytes) : owner_(std::move(owner)), view_(bytes) {}
  Bytes(std::string bytes) {  // NOLINT(google-explicit-constructor): a file's content is its bytes
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    view_ = *owner;
    owner_ = std::move(owner);
  }

  // `part` lies within these bytes.
  Bytes Part(absl::string_view part) const { return {owner_, part}; }

  size_t size() const { return view_.size(); }
  absl::string_view view() const { return view_; }
  absl::Span<const std::byte> span() const { return {reinterpret_cast<const std::byte*>(view_.data()), view_.size()}; }

 private:
  std::shared_ptr<const void> owner_;
  absl::string_view view_;
};

}  // namespace resnetd

#endif  // RESNETD_BASE_BYTES_H_
