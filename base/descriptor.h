#ifndef RESNETD_BASE_DESCRIPTOR_H_
#define RESNETD_BASE_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace resnetd {

// Owns a file descriptor, or none (-1). Not thread-safe.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.Release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {  // of another one
    if (fd_ >= 0) close(fd_);
    fd_ = other.Release();
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }

  bool is_open() const { return fd_ >= 0; }
  int get() const { return fd_; }
  // Gives it to the caller.
  int Release() { return std::exchange(fd_, -1); }
  void Close() { *this = Descriptor(); }

 private:
  int fd_ = -1;
};

}  // namespace resnetd

#endif  // RESNETD_BASE_DESCRIPTOR_H_
