#ifndef RESNETD_SERVER_EDGE_CODEC_H_
#define RESNETD_SERVER_EDGE_CODEC_H_

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/edge/request.h"

namespace google::protobuf::io {
class ZeroCopyInputStream;
}

namespace resnetd::server {

// The bytes of a request message, which may be read twice.
class RequestBytes {
 public:
  virtual ~RequestBytes() = default;
  virtual size_t size() const = 0;
  // Reads from the first byte.
  virtual std::unique_ptr<google::protobuf::io::ZeroCopyInputStream> Open() = 0;
};

// One method's language: request messages in, answer messages out. Stateless, thread-safe.
class Codec {
 public:
  virtual ~Codec() = default;

  // Images to compute, or the serialised answer of a method that computes nothing.
  using Decoded = std::variant<ImageRequest, std::string>;
  // Parses and checks. An error is the request's as a whole; that of a single image is in ImageRequest::images.
  virtual absl::StatusOr<Decoded> Decode(RequestBytes& bytes) const = 0;

  // Whether an answer has a place for the error of each image. Where it has none, the first image that fails fails its
  // request, and FieldOf() says which it was.
  virtual bool images_fail_alone() const { return true; }
  // The serialised answer; `answers` has one a requested image.
  virtual std::string Encode(const ImageRequest& request, absl::Span<const ImageAnswer> answers) const = 0;
  // The path by which the client knows an image's bytes: "images[3].encoded".
  virtual std::string FieldOf(SourceKind kind, size_t image) const = 0;
  // A stream's serialised answer to a request that failed as a whole. Unary codecs: never called.
  virtual std::string EncodeError(const absl::Status& error) const = 0;
};

// The code that a protocol answers with for each of our errors, by the number of its absl::StatusCode.
using StatusCodes = std::array<int, 17>;
// gRPC's codes are absl's, number by number.
inline constexpr StatusCodes kGrpcCodes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

struct Method {
  std::string name;        // as in the .proto, and in metrics: "Classify"
  bool streaming = false;  // requests and answers; else one of each
  std::unique_ptr<const Codec> codec;
};

// A service that clients may call, as data: the edge serves any number of them.
struct Protocol {
  std::string service;  // with its package: "resnetd.v1.InferenceService"
  std::vector<Method> methods;
  StatusCodes codes = kGrpcCodes;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_CODEC_H_
