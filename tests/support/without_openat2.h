#ifndef RESNETD_TESTS_SUPPORT_WITHOUT_OPENAT2_H_
#define RESNETD_TESTS_SUPPORT_WITHOUT_OPENAT2_H_

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <functional>
#include <iterator>
#include <thread>

#include "gtest/gtest.h"

// A seccomp filter that knows no openat2(), as those of container runtimes before 2020.
namespace resnetd {

// Calls `body` in a thread of its own, in which openat2() fails with `error`: ENOSYS, or EPERM as old filters have it.
inline void WithoutOpenat2(int error, const std::function<void()>& body) {
  std::thread([&] {
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program = {.len = std::size(filter), .filter = filter};
    ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
    body();
  }).join();
}

}  // namespace resnetd

#endif  // RESNETD_TESTS_SUPPORT_WITHOUT_OPENAT2_H_
