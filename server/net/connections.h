#ifndef RESNETD_SERVER_NET_CONNECTIONS_H_
#define RESNETD_SERVER_NET_CONNECTIONS_H_

namespace resnetd::server {

// Closes the inward half of this process' TCP sockets on the local port: listeners listen no more, and from connections
// nothing more is read than has arrived. What is being sent on them goes on; who owns them finds the end of the stream
// and closes them. Returns how many connections it found, which may be called again for until there is none. Without
// /proc it finds none.
int CloseInward(int port);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_NET_CONNECTIONS_H_
