#ifndef RESNETD_SERVER_PROCESS_DESCRIPTOR_LIMIT_H_
#define RESNETD_SERVER_PROCESS_DESCRIPTOR_LIMIT_H_

#include <cstdint>

namespace resnetd::server {

struct DescriptorLimit {
  uint64_t before = 0, now = 0;  // open files at once
};

// Raises the process's soft limit of open files to the hard one. Each connection takes a descriptor, and the usual soft
// limit of 1024 is there for programs that call select(), which a server need not be. Where that fails nothing changes.
DescriptorLimit RaiseDescriptorLimit();

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_PROCESS_DESCRIPTOR_LIMIT_H_
