// Measures the heap of a program from outside: LD_PRELOAD=libheap_meter.so HEAP_METER=FILE PROGRAM. The program is none
// the wiser; whoever maps FILE reads what it holds while it runs (tests/e2e/heap_meter.py). Environment:
//
//   HEAP_METER=FILE          is made, and holds a Page
//   HEAP_METER_STACKS=1      also says which call-stacks hold the bytes; each allocation then takes some microseconds
//   HEAP_METER_LEAK=BYTES    loses so many bytes with every call that gRPC's server begins: a leak to be found
//
// The page, with its tables, is a shared mapping of the file, so that what is measured with does not count as the
// program's anonymous memory. Blocks are counted by malloc_usable_size, and nothing is put beside them: the heap looks
// as it does without the meter. Memory that is mapped past malloc, as the stacks of threads are, is not counted.
#include <dlfcn.h>
#include <fcntl.h>
#include <grpc/grpc.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

// glibc's own allocator, by the names that stay when malloc is replaced.
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier)
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* memory);
// NOLINTEND(bugprone-reserved-identifier)
}

namespace {

constexpr size_t kFrames = 28, kStacks = 1 << 17, kProbes = 256;
constexpr size_t kShards = 64, kBlocksOfShard = 1 << 13;

// Who allocated: return addresses, innermost first, 0 behind the last.
struct Stack {
  std::atomic<uint64_t> hash;  // 0: free
  std::atomic<int64_t> bytes, blocks;
  std::array<uint64_t, kFrames> frames;
};

struct Block {
  uintptr_t address;  // 0: free
  uint32_t stack, bytes;
};

// An open hash table of blocks by address.
struct Shard {
  std::atomic_flag taken;
  std::array<Block, kBlocksOfShard> blocks;
};

// tests/e2e/heap_meter.py reads what stands before `shards`, all of it in units of 8 bytes.
struct Page {
  std::atomic<int64_t> bytes, blocks;  // in use
  std::atomic<int64_t> calls;          // that gRPC's server has begun
  std::atomic<int64_t> untold;         // blocks for which there was no room in the tables
  std::array<Stack, kStacks> stacks;
  std::array<Shard, kShards> shards;
};

// Until the file is mapped.
std::atomic<int64_t> early_bytes, early_blocks;
std::atomic<Page*> mapped{nullptr};
bool with_stacks = false;
size_t leak = 0;
// The unwinder allocates when it is used first.
thread_local bool unwinding __attribute__((tls_model("initial-exec"))) = false;

struct Trace {
  std::array<uint64_t, kFrames> frames{};
  size_t depth = 0, skip = 3;  // this file's own
};

_Unwind_Reason_Code Step(_Unwind_Context* context, void* data) {
  Trace& trace = *static_cast<Trace*>(data);
  if (trace.skip > 0) {
    --trace.skip;
    return _URC_NO_REASON;
  }
  if (trace.depth == kFrames) return _URC_END_OF_STACK;
  trace.frames[trace.depth++] = _Unwind_GetIP(context);
  return _URC_NO_REASON;
}

uint64_t Mixed(uint64_t x) {
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93U;
  return x ^ (x >> 32);
}

// Index of the stack of who called malloc; kStacks if there is no room.
__attribute__((noinline)) uint32_t StackOfCaller(Page& page) {
  Trace trace;
  unwinding = true;
  _Unwind_Backtrace(Step, &trace);
  unwinding = false;
  uint64_t hash = 1;
  for (const uint64_t frame : trace.frames) hash = Mixed(hash + frame);
  hash |= 1;
  for (size_t i = 0; i < kProbes; ++i) {
    const size_t at = (hash + i) % kStacks;
    Stack& stack = page.stacks[at];
    uint64_t there = 0;
    if (stack.hash.compare_exchange_strong(there, hash)) {
      stack.frames = trace.frames;
      return static_cast<uint32_t>(at);
    }
    if (there == hash) return static_cast<uint32_t>(at);
  }
  return kStacks;
}

class Lock {
 public:
  explicit Lock(Shard& shard) : shard_(shard) {
    while (shard_.taken.test_and_set(std::memory_order_acquire)) {
    }
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() { shard_.taken.clear(std::memory_order_release); }

 private:
  Shard& shard_;
};

Shard& ShardOf(Page& page, uintptr_t address) {
  return page.shards[Mixed(address) % kShards];
}

size_t HomeOf(uintptr_t address) {
  return Mixed(address) / kShards % kBlocksOfShard;
}

__attribute__((noinline)) void Remember(Page& page, uintptr_t address, size_t bytes) {
  const uint32_t stack = StackOfCaller(page);
  if (stack == kStacks) {
    ++page.untold;
    return;
  }
  Shard& shard = ShardOf(page, address);
  const Lock lock(shard);
  for (size_t i = 0; i < kProbes; ++i) {
    Block& block = shard.blocks[(HomeOf(address) + i) % kBlocksOfShard];
    if (block.address != 0) continue;
    block = {.address = address, .stack = stack, .bytes = static_cast<uint32_t>(bytes)};
    page.stacks[stack].bytes += static_cast<int64_t>(bytes);
    ++page.stacks[stack].blocks;
    return;
  }
  ++page.untold;
}

// Blocks that were allocated before, or found no room, are not there.
void Forget(Page& page, uintptr_t address) {
  Shard& shard = ShardOf(page, address);
  const Lock lock(shard);
  size_t at = HomeOf(address);
  for (size_t i = 0; i < kBlocksOfShard && shard.blocks[at].address != address; ++i) {
    if (shard.blocks[at].address == 0) return;
    at = (at + 1) % kBlocksOfShard;
  }
  if (shard.blocks[at].address != address) return;
  Stack& stack = page.stacks[shard.blocks[at].stack];
  stack.bytes -= shard.blocks[at].bytes;
  --stack.blocks;
  // Those behind the hole that would be found no more move up.
  for (size_t next = (at + 1) % kBlocksOfShard; shard.blocks[next].address != 0; next = (next + 1) % kBlocksOfShard) {
    const size_t from_home = (next - HomeOf(shard.blocks[next].address)) % kBlocksOfShard;
    if (from_home < (next - at) % kBlocksOfShard) continue;
    shard.blocks[at] = shard.blocks[next];
    at = next;
  }
  shard.blocks[at].address = 0;
}

__attribute__((noinline)) void* Taken(void* memory) {
  if (memory == nullptr) return memory;
  const size_t bytes = malloc_usable_size(memory);
  Page* page = mapped.load(std::memory_order_acquire);
  (page == nullptr ? early_bytes : page->bytes) += static_cast<int64_t>(bytes);
  ++(page == nullptr ? early_blocks : page->blocks);
  if (page != nullptr && with_stacks && !unwinding) Remember(*page, reinterpret_cast<uintptr_t>(memory), bytes);
  return memory;
}

void Returned(void* memory) {
  if (memory == nullptr) return;
  const auto bytes = static_cast<int64_t>(malloc_usable_size(memory));
  Page* page = mapped.load(std::memory_order_acquire);
  (page == nullptr ? early_bytes : page->bytes) -= bytes;
  --(page == nullptr ? early_blocks : page->blocks);
  if (page != nullptr && with_stacks) Forget(*page, reinterpret_cast<uintptr_t>(memory));
}

__attribute__((constructor)) void Open() {
  const char* file = std::getenv("HEAP_METER");
  if (file == nullptr) return;
  const int descriptor = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0 || ftruncate(descriptor, sizeof(Page)) != 0) std::abort();
  void* page = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  if (page == MAP_FAILED) std::abort();
  if (const char* bytes = std::getenv("HEAP_METER_LEAK"); bytes != nullptr) leak = std::strtoul(bytes, nullptr, 10);
  with_stacks = std::getenv("HEAP_METER_STACKS") != nullptr;
  // A new file is zeros, which is what all that is in a Page begins with. There is one thread yet.
  auto* opened = static_cast<Page*>(page);
  opened->bytes = early_bytes.load();
  opened->blocks = early_blocks.load();
  mapped.store(opened, std::memory_order_release);
}

}  // namespace

extern "C" {

void* malloc(size_t size) {
  return Taken(__libc_malloc(size));
}

void* calloc(size_t nmemb, size_t size) {
  return Taken(__libc_calloc(nmemb, size));
}

void* realloc(void* ptr, size_t size) {
  if (ptr == nullptr) return malloc(size);
  if (size == 0) {
    free(ptr);
    return nullptr;
  }
  // Beforehand, as the address may be another thread's as soon as it is given back.
  Returned(ptr);
  void* moved = __libc_realloc(ptr, size);
  Taken(moved != nullptr ? moved : ptr);
  return moved;
}

void* memalign(size_t alignment, size_t size) {
  return Taken(__libc_memalign(alignment, size));
}

void* aligned_alloc(size_t alignment, size_t size) {
  return Taken(__libc_memalign(alignment, size));
}

int posix_memalign(void** memptr, size_t alignment, size_t size) {
  if (alignment % sizeof(void*) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  void* got = Taken(__libc_memalign(alignment, size));
  if (got == nullptr) return ENOMEM;
  *memptr = got;
  return 0;
}

void free(void* ptr) {
  Returned(ptr);
  __libc_free(ptr);
}

// With this operation, which stands alone, the C++ library asks once a call to be told of the call's end.
grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t nops, void* tag, void* reserved) {
  static const auto start = reinterpret_cast<decltype(&grpc_call_start_batch)>(dlsym(RTLD_NEXT, __func__));
  Page* page = mapped.load();
  if (page != nullptr && nops == 1 && ops[0].op == GRPC_OP_RECV_CLOSE_ON_SERVER) {
    ++page->calls;
    // Volatile, or a compiler may see that nobody wants it.
    void* volatile lost = leak > 0 ? malloc(leak) : nullptr;
    static_cast<void>(lost);
  }
  return start(call, ops, nops, tag, reserved);
}

}  // extern "C"
