#ifndef RESNETD_SERVER_EDGE_WIRE_H_
#define RESNETD_SERVER_EDGE_WIRE_H_

#include "absl/types/span.h"

namespace google::protobuf::io {
class ZeroCopyInputStream;
}

namespace resnetd::server {

// Counts the fields of a serialised message before it is parsed: parsed, an empty submessage or an unknown field takes
// up to 20 times its bytes on the wire, a packed number 8 times, and this is what keeps a message of the largest size
// from becoming that much memory.
//
// `path` lists the field numbers to descend into, level by level, the last one that of packed numbers, each byte of
// which counts as a field: {3, 2, 2} counts the message's own fields, those of every field 3, those of every field 2 in
// these, and the bytes of every field 2 in these. Returns false if there are more than `limit` or the bytes are no
// message.
bool FieldsWithin(google::protobuf::io::ZeroCopyInputStream& message, absl::Span<const int> path, int limit);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_WIRE_H_
