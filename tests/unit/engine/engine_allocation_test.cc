// Session::Run() allocates nothing of ours. Every use of operator new in this program ends here and is counted, but for
// those out of oneDNN itself, which allocates a little in each execution.
#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>

#include "gtest/gtest.h"
#include "tests/support/session_runner.h"

namespace {

std::atomic<int> ours{0}, of_the_library{0};

// Null if there is no memory.
void* Allocate(size_t bytes, size_t alignment, const void* caller) noexcept {
  Dl_info object;
  const bool library = dladdr(caller, &object) != 0 && std::strstr(object.dli_fname, "libdnnl") != nullptr;
  ++(library ? of_the_library : ours);
  return std::aligned_alloc(alignment, (bytes / alignment + 1) * alignment);
}

void* Checked(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

// Not inlined: the compiler would warn of a free() of what operator new returned, which is what happens here.
[[gnu::noinline]] void Free(void* p) {
  std::free(p);
}

constexpr size_t kAlignment = alignof(std::max_align_t);

}  // namespace

// All forms that a program may replace: what one of them allocates another frees. Each asks for its own caller, so none
// calls another. The sanitizers' libraries define all of them too, and memory of theirs must not come here.
#define RESNETD_CALLER __builtin_return_address(0)

void* operator new(size_t bytes) {
  return Checked(Allocate(bytes, kAlignment, RESNETD_CALLER));
}
void* operator new[](size_t bytes) {
  return Checked(Allocate(bytes, kAlignment, RESNETD_CALLER));
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return Allocate(bytes, kAlignment, RESNETD_CALLER);
}
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept {
  return Allocate(bytes, kAlignment, RESNETD_CALLER);
}
void* operator new(size_t bytes, std::align_val_t alignment) {
  return Checked(Allocate(bytes, static_cast<size_t>(alignment), RESNETD_CALLER));
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return Checked(Allocate(bytes, static_cast<size_t>(alignment), RESNETD_CALLER));
}
void* operator new(size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return Allocate(bytes, static_cast<size_t>(alignment), RESNETD_CALLER);
}
void* operator new[](size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return Allocate(bytes, static_cast<size_t>(alignment), RESNETD_CALLER);
}
void operator delete(void* p) noexcept {
  Free(p);
}
void operator delete[](void* p) noexcept {
  Free(p);
}
void operator delete(void* p, size_t) noexcept {
  Free(p);
}
void operator delete[](void* p, size_t) noexcept {
  Free(p);
}
void operator delete(void* p, const std::nothrow_t&) noexcept {
  Free(p);
}
void operator delete[](void* p, const std::nothrow_t&) noexcept {
  Free(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
  Free(p);
}
void operator delete[](void* p, std::align_val_t) noexcept {
  Free(p);
}
void operator delete(void* p, size_t, std::align_val_t) noexcept {
  Free(p);
}
void operator delete[](void* p, size_t, std::align_val_t) noexcept {
  Free(p);
}
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept {
  Free(p);
}
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept {
  Free(p);
}

namespace resnetd {
namespace {

// One form of delete may free another form's memory: nothing of it is the standard library's, or the sanitizer's.
TEST(Operators, AreReplacedInEveryForm) {
  constexpr std::align_val_t kAligned{64};
  const int before = ours;
  operator delete(operator new(8, std::nothrow));
  operator delete[](operator new[](8, std::nothrow), size_t{8});
  operator delete[](operator new[](8), std::nothrow);
  operator delete (operator new(8), size_t{8});
  operator delete[](operator new[](8, kAligned), size_t{8}, kAligned);
  operator delete(operator new(8, kAligned, std::nothrow), kAligned);
  operator delete[](operator new[](8, kAligned, std::nothrow), kAligned, std::nothrow);
  EXPECT_EQ(ours - before, 7);
}

TEST(Run, AllocatesNothingOfOurs) {
  for (const char* path : {GOLDEN_MODELS "/cifar20-a-grey.onnx", GOLDEN_MODELS "/resnet18-97px.onnx"}) {
    std::ifstream stream(path, std::ios::binary);
    ASSERT_TRUE(stream) << path << " is not there; the test golden_models makes it";
    const std::string file((std::istreambuf_iterator<char>(stream)), {});
    for (const int threads : {1, 2}) {
      const auto engine = Engine::Load({file, path}, {.batch_sizes = {1, 4}, .threads = threads});
      ASSERT_TRUE(engine.ok()) << engine.status();
      const SessionRunner runner(*engine);
      const ModelInfo& info = runner.engine().info();
      const std::vector<float> image(static_cast<size_t>(info.channels) * info.height * info.width, 0.5f);
      LayerProfile profile((*engine)->Describe(4).size());
      for (const int count : {1, 3, 4}) {
        const int before = ours;
        bool ok = true;
        for (int run = 0; run < 5; ++run) {
          for (int i = 0; i < count; ++i) runner.Write(i, image);
          ok &= runner->Run({.count = count, .profile = run % 2 == 0 ? nullptr : &profile}).ok();
          ok &= runner->output(runner.engine().info().logits, count - 1).size() == static_cast<size_t>(info.classes);
        }
        const int after = ours;
        EXPECT_TRUE(ok);
        EXPECT_EQ(after - before, 0) << path << ", " << count << " images, " << threads << " threads";
      }
    }
  }
  // The counter counts, and tells the two apart.
  EXPECT_GT(ours, 100);
  EXPECT_GT(of_the_library, 100);
}

}  // namespace
}  // namespace resnetd
