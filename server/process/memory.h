#ifndef RESNETD_SERVER_PROCESS_MEMORY_H_
#define RESNETD_SERVER_PROCESS_MEMORY_H_

#include <cstddef>
#include <cstdint>

#include "base/time.h"

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

// Bytes of the process that are in memory; 0 where the system does not tell.
int64_t ResidentBytes();

// Gives the system back what was freed: the allocator keeps it for the next burst, also where that was an attack. Not
// thread-safe.
class FreedMemory {
 public:
  explicit FreedMemory(Time now);
  // To be called now and then; nearly always it does nothing. What it does holds allocations up for some milliseconds,
  // about one for 10 MB.
  void Tend(Time now);
  // Much will be freed in the next seconds: looks more often for a while.
  void ExpectMuch(Time now);

 private:
  Time next_{};
  Time busy_until_{};
  Duration pause_{};
  int64_t kept_ = 0;  // beside what is in use: code, and what could not be given back
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_PROCESS_MEMORY_H_
