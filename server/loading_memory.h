#ifndef RESNETD_SERVER_LOADING_MEMORY_H_
#define RESNETD_SERVER_LOADING_MEMORY_H_

namespace resnetd {

// Hands back what loading models took and serving them does not need: freed memory, and pages of code. Call it once,
// when all are loaded; any thread may be running.
void ReleaseLoadingMemory();

}  // namespace resnetd

#endif  // RESNETD_SERVER_LOADING_MEMORY_H_
