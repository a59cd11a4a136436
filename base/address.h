#ifndef RESNETD_BASE_ADDRESS_H_
#define RESNETD_BASE_ADDRESS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// Addresses to listen on, as an operator writes them: 127.0.0.1, localhost, ::1 or [::1], and unix:/run/resnetd.sock.
namespace resnetd {

// INVALID_ARGUMENT, naming `what`, for what is no name and no address written out: the system's resolver takes 0,
// 127.1, 0x7f000001 and the like for an IPv4 address, which may be another than was meant.
absl::Status CheckAddress(absl::string_view what, absl::string_view address);

// The same, where a unix socket will do too: unix:PATH, or unix:///PATH as URIs have it.
absl::Status CheckAddressOrSocketFile(absl::string_view what, absl::string_view address);

bool IsSocketFile(absl::string_view address);
// The path of one that is.
std::string SocketFileOf(absl::string_view address);

// The address without the brackets of IPv6, as the resolver takes it.
std::string HostOf(absl::string_view address);

// 127.0.0.1:8500 or [::1]:8500; a unix socket's address is its own.
std::string HostPort(absl::string_view address, int port);

}  // namespace resnetd

#endif  // RESNETD_BASE_ADDRESS_H_
