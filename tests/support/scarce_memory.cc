#include "tests/support/scarce_memory.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

thread_local bool spared = false;
std::atomic<int> until_failure = -1, failed = 0;

}  // namespace

void* operator new(size_t size) {
  if (!spared && until_failure >= 0 && until_failure.fetch_sub(1) == 0) {
    ++failed;
    throw std::bad_alloc();
  }
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}

void operator delete(void* memory, size_t /*size*/) noexcept {
  std::free(memory);
}

namespace resnetd {

void SpareThisThread() {
  spared = true;
}

void FailAfter(int others) {
  until_failure = others;
}

int FailedAllocations() {
  return failed;
}

}  // namespace resnetd
