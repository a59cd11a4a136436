// A message on the wire is a row of (tag, value); tag = number << 3 | type. Types: 0 varint, 1 eight bytes, 2 length
// and bytes (also a submessage), 5 four bytes; 3 and 4 are the groups of proto2, which no message of ours has: as an
// unknown field a group could nest a message's whole length deep, so it is refused.
#include "server/edge/codec.h"

#include <google/protobuf/io/coded_stream.h>

namespace resnetd::server {
namespace {

bool Walk(google::protobuf::io::CodedInputStream& in, absl::Span<const int> path, int& left) {
  while (const uint32_t tag = in.ReadTag()) {
    if (--left < 0) return false;
    uint64_t number = 0;
    uint32_t length = 0;
    switch (tag & 7) {
      case 0:
        if (!in.ReadVarint64(&number)) return false;
        break;
      case 1:
        if (!in.Skip(8)) return false;
        break;
      case 2: {
        if (!in.ReadVarint32(&length) || length > INT32_MAX) return false;
        const int room = in.BytesUntilLimit();  // -1: no submessage's end ahead
        if (room >= 0 && length > static_cast<uint32_t>(room)) return false;
        const bool on_path = static_cast<int>(tag >> 3) == path[0];
        if (!on_path || path.size() == 1) {
          if (on_path && length > static_cast<uint32_t>(left)) return false;
          left -= on_path ? static_cast<int>(length) : 0;
          if (!in.Skip(static_cast<int>(length))) return false;
          break;
        }
        const auto limit = in.PushLimit(static_cast<int>(length));
        if (!Walk(in, path.subspan(1), left) || in.BytesUntilLimit() > 0) return false;
        in.PopLimit(limit);
        break;
      }
      case 5:
        if (!in.Skip(4)) return false;
        break;
      default:
        return false;
    }
  }
  return in.ConsumedEntireMessage();
}

}  // namespace

bool FieldsWithin(google::protobuf::io::ZeroCopyInputStream& message, absl::Span<const int> path, int limit) {
  google::protobuf::io::CodedInputStream in(&message);
  return Walk(in, path, limit);
}

}  // namespace resnetd::server
