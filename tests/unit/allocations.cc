#include "tests/unit/allocations.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<size_t> allocations = 0, bytes = 0;
}  // namespace

void* operator new(size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  ++allocations;
  bytes += malloc_usable_size(memory);
  return memory;
}
void operator delete(void* memory) noexcept {
  bytes -= malloc_usable_size(memory);
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  operator delete(memory);
}
// Those of arrays call these, but not in the sanitizers' libraries.
void* operator new[](size_t size) {
  return operator new(size);
}
void operator delete[](void* memory) noexcept {
  operator delete(memory);
}
void operator delete[](void* memory, size_t) noexcept {
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
