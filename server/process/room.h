#ifndef RESNETD_SERVER_PROCESS_ROOM_H_
#define RESNETD_SERVER_PROCESS_ROOM_H_

#include <cstddef>

#include "absl/status/status.h"

namespace resnetd::server {

// Whether the process may have so many threads beside those it has, with the stacks that threads get by default, and
// beside their stacks so many bytes of address space. Tries it, and gives all of it back; takes about a millisecond.
// RESOURCE_EXHAUSTED names what is too little and the limit that makes it so. gRPC ends the process where it gets no
// thread, so this is to be asked before it starts.
absl::Status CheckRoom(int threads, size_t bytes);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_PROCESS_ROOM_H_
