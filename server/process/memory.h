#ifndef RESNETD_SERVER_PROCESS_MEMORY_H_
#define RESNETD_SERVER_PROCESS_MEMORY_H_

#include <cstddef>
#include <cstdint>

namespace resnetd::server {

// Lets threads share the allocator's heaps, as many as there are cores: glibc gives each of up to eight threads a core
// a heap of its own, and each keeps what its largest burst took. And until ReleaseLoadingMemory() freed memory is kept
// for what is loaded next, since a new page costs more than filling it. Where addresses are limited (ulimit -v) there
// are fewer heaps. Returns how many. Call it before any other thread starts.
int PrepareHeaps(int cores);
// The addresses that each heap but the first reserves, in bytes.
inline constexpr size_t kHeapAddresses = size_t{64} << 20;

// Hands back what loading models took and serving them does not need: freed memory, and pages of code. Call it once,
// when all are loaded; any thread may be running.
void ReleaseLoadingMemory();

// Hands back the pages of freed blocks. The allocator itself hands back only what lies behind all blocks in use, so
// that without this the process keeps every page that it ever touched, as calls spread over more and more of them. Any
// thread may be running; the calls that come next take some of the pages anew.
void ReleaseFreedMemory();

// Bytes of the process that are in memory; 0 where the system does not tell.
int64_t ResidentBytes();

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_PROCESS_MEMORY_H_
