#include "server/process/room.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"

namespace resnetd::server {
namespace {

constexpr size_t kMb = size_t{1} << 20;

// Threads that do nothing, until they are let go.
class Idlers {
 public:
  ~Idlers() {
    {
      MutexLock lock(&mu_);
      over_ = true;
    }
    wake_.SignalAll();
    for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
  }

  // 0, or what pthread_create() says.
  int AddOne() {
    pthread_t thread{};
    const int error = pthread_create(&thread, nullptr, Wait, this);
    if (error == 0) threads_.push_back(thread);
    return error;
  }

 private:
  static void* Wait(void* self) {
    Idlers& idlers = *static_cast<Idlers*>(self);
    MutexLock lock(&idlers.mu_);
    while (!idlers.over_) idlers.wake_.Wait(&idlers.mu_);
    return nullptr;
  }

  Mutex mu_;
  CondVar wake_;
  bool over_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<pthread_t> threads_;
};

bool HasAddresses(size_t bytes) {
  void* const block = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (block == MAP_FAILED) return false;
  munmap(block, bytes);
  return true;
}

size_t StackBytes() {
  pthread_attr_t attributes;
  size_t bytes = 8 * kMb;
  if (pthread_getattr_default_np(&attributes) == 0) {
    pthread_attr_getstacksize(&attributes, &bytes);
    pthread_attr_destroy(&attributes);
  }
  return bytes;
}

// Tells what the limit on addresses leaves no room for.
absl::Status TooFewAddresses(int threads, size_t bytes) {
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  return absl::ResourceExhaustedError(absl::StrCat("the address space of ", limit.rlim_cur / 1024,
                                                   " KiB (ulimit -v) is too little: beside the program it must hold ",
                                                   threads, " threads with stacks of ", StackBytes() / 1024,
                                                   " KiB (ulimit -s) and ", bytes / kMb, " MiB of memory"));
}

}  // namespace

absl::Status CheckRoom(int threads, size_t bytes) {
  Idlers idlers;
  for (int i = 0; i < threads; ++i) {
    const int error = idlers.AddOne();
    if (error == 0) continue;
    if (!HasAddresses(StackBytes() + kMb)) return TooFewAddresses(threads, bytes);
    return absl::ResourceExhaustedError(absl::StrCat("expected to be allowed ", threads, " more threads, got ", i, ": ",
                                                     std::strerror(error),
                                                     " (ulimit -u, or pids.max of the control group)"));
  }
  return HasAddresses(bytes) ? absl::OkStatus() : TooFewAddresses(threads, bytes);
}

}  // namespace resnetd::server
