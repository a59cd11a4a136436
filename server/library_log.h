#ifndef RESNETD_SERVER_LIBRARY_LOG_H_
#define RESNETD_SERVER_LIBRARY_LOG_H_

#include <vector>

#include "server/observe/metrics.h"

// The lines of gRPC and protobuf in our log: in its form, printable, cut, and at a bounded rate, since a client can
// cause them. All are counted, written or not. Thread-safe; there is one of it in a process.
namespace resnetd::server {

// Begins with it, once. To be called when the log is set up and before either library is used.
void StartLibraryLog();

// Writes how many lines were left out, of windows that are over or, at the end of the process, of all.
void TellLinesLeftOut(Time now = Now());

// How many lines there were, by library and severity, all of which are there from the start.
std::vector<LibraryLineCount> LibraryLineCounts();

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_LIBRARY_LOG_H_
