#include "server/process/memory.h"

#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>

namespace resnetd::server {
namespace {

// Files, weights before they were packed, the arena the models were tried with.
void BoundAllocator() {
  mallopt(M_MMAP_MAX, 1 << 16);        // glibc's default
  mallopt(M_MMAP_THRESHOLD, 4 << 20);  // bytes; what is larger goes back to the system when it is freed
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

// Each heap beside the first reserves addresses, which a limit on them counts as if they were used: of those that are
// allowed, heaps take at most a quarter.
int Heaps(int wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const rlim_t affordable = 1 + limit.rlim_cur / 4 / kHeapAddresses;
  return static_cast<int>(std::min<rlim_t>(affordable, static_cast<rlim_t>(wanted)));
}

// Bytes. Of smaller segments most pages come back with the first calls.
constexpr size_t kLargeSegment = 8 << 20;

// Pages of a program or library that nobody writes to come back from its file when they are touched again. Of the large
// ones, which is oneDNN's code, 10 MB were for compiling models.
int ReleaseCode(dl_phdr_info* object, size_t /*size*/, void* /*data*/) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0 || segment.p_memsz < kLargeSegment) continue;
    const uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) / page * page;
    const uintptr_t end = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // if it fails, they stay: no harm
  }
  return 0;
}

}  // namespace

int PrepareHeaps(int cores) {
  const int heaps = Heaps(2 * cores);
  mallopt(M_ARENA_MAX, heaps);
  mallopt(M_MMAP_MAX, 0);  // blocks of any size lie in the heap
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  return heaps;
}

void ReleaseLoadingMemory() {
  BoundAllocator();
  ReleaseFreedMemory();
  dl_iterate_phdr(ReleaseCode, nullptr);
}

void ReleaseFreedMemory() {
  malloc_trim(0);
}

int64_t ResidentBytes() {
  static const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  char text[128] = "";
  if (fd < 0 || pread(fd, text, sizeof text - 1, 0) <= 0) return 0;
  int64_t size = 0, resident = 0;
  if (sscanf(text, "%" SCNd64 " %" SCNd64, &size, &resident) != 2) return 0;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace resnetd::server
