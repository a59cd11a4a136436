#include "tests/support/allocations.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {
std::atomic<size_t> allocations = 0, bytes = 0;
constexpr std::align_val_t kUsual{alignof(std::max_align_t)};
}  // namespace

// All forms that a program may replace. The standard library's others call these, the sanitizers' do not.
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  const auto unit = static_cast<size_t>(alignment);
  void* memory = std::aligned_alloc(unit, std::max<size_t>((size + unit - 1) / unit, 1) * unit);
  if (memory == nullptr) return nullptr;
  ++allocations;
  bytes += malloc_usable_size(memory);
  return memory;
}
void* operator new(size_t size, std::align_val_t alignment) {
  void* memory = operator new(size, alignment, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, kUsual, std::nothrow);
}
void* operator new(size_t size) {
  return operator new(size, kUsual);
}
void* operator new[](size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return operator new(size, alignment, std::nothrow);
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return operator new(size, alignment);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, std::nothrow);
}
void* operator new[](size_t size) {
  return operator new(size);
}

void operator delete(void* memory) noexcept {
  bytes -= malloc_usable_size(memory);
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  operator delete(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  operator delete(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  operator delete(memory);
}
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  operator delete(memory);
}
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  operator delete(memory);
}
void operator delete[](void* memory) noexcept {
  operator delete(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  operator delete(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  operator delete(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  operator delete(memory);
}
void operator delete[](void* memory, size_t, std::align_val_t) noexcept {
  operator delete(memory);
}
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  operator delete(memory);
}

namespace resnetd {

size_t Allocations() {
  return allocations;
}

size_t AllocatedBytes() {
  return bytes;
}

}  // namespace resnetd
