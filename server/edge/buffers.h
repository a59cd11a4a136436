#ifndef RESNETD_SERVER_EDGE_BUFFERS_H_
#define RESNETD_SERVER_EDGE_BUFFERS_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include <memory>
#include <string>
#include <utility>

#include "server/edge/codec.h"

// gRPC's buffers as codecs see messages.
namespace resnetd::server {

// The bytes of `buffer`, which outlives it.
class BufferBytes final : public RequestBytes {
 public:
  explicit BufferBytes(grpc::ByteBuffer& buffer) : buffer_(buffer) {}
  size_t size() const override { return buffer_.Length(); }
  std::unique_ptr<google::protobuf::io::ZeroCopyInputStream> Open() override {
    return std::make_unique<grpc::ProtoBufferReader>(&buffer_);
  }

 private:
  grpc::ByteBuffer& buffer_;
};

// The string moves into the buffer; nothing is copied.
inline grpc::ByteBuffer ToBuffer(std::string message) {
  auto* owned = new std::string(std::move(message));
  const grpc::Slice slice(
      owned->data(), owned->size(), [](void* p) { delete static_cast<std::string*>(p); }, owned);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_BUFFERS_H_
