#ifndef RESNETD_SERVER_EDGE_CODEC_H_
#define RESNETD_SERVER_EDGE_CODEC_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/time.h"
#include "models/model.h"
#include "server/compute/image_job.h"
#include "server/model_repository.h"

namespace google::protobuf::io {
class ZeroCopyInputStream;
}

// Protocols: the values that pass between them and the scheduler, which are plain and of no protocol, and what turns
// messages into these and back.
namespace resnetd::server {

// Identifies a caller. Principals are numbers so that they cost nothing to carry and reach no metric as a name.
enum class PrincipalId : uint32_t { kAnonymous = 0 };

struct WantedLayer {
  const Layer* layer = nullptr;  // of the model
  const Space* space = nullptr;  // of the layer: how many values are kept
  absl::string_view name = {};   // as the request called it, in its message; the layer's own where it named none
};

struct EmbedOptions {
  bool l2_normalize = false;
  bool named = false;               // the request named the layers; else it wants the default one in the place of old
  std::vector<WantedLayer> layers;  // at least one
};

// An image that may be computed.
struct CheckedImage {
  ImageSource source;
  Duration prepare{};  // predicted cost of decoding it
};

// A request as a whole is valid: the model exists and can do what is asked. Its images answer for themselves.
struct ImageRequest {
  PrincipalId principal = PrincipalId::kAnonymous;  // on whose behalf
  ServedModel served;
  std::optional<ClassifyOptions> classify;  // classes are wanted
  std::optional<EmbedOptions> embed;        // embeddings are wanted
  std::vector<absl::StatusOr<CheckedImage>> images;
  std::shared_ptr<const void> message;  // owns what the sources point into
};

// One image's answer.
struct ImageAnswer {
  absl::Status status;
  std::vector<ScoredClass> classes;
  std::vector<std::vector<float>> embeddings;  // one a wanted layer
  Execution execution;
  Duration total{};  // from the call's arrival to the image's answer
};

// The bytes of a request message, which may be read twice.
class RequestBytes {
 public:
  virtual ~RequestBytes() = default;
  virtual size_t size() const = 0;
  // Reads from the first byte.
  virtual std::unique_ptr<google::protobuf::io::ZeroCopyInputStream> Open() = 0;
};

// Counts the fields of a serialised message before it is parsed: parsed, an empty submessage or an unknown field takes
// up to 20 times its bytes on the wire, a packed number 8 times, and this is what keeps a message of the largest size
// from becoming that much memory.
//
// `path` lists the field numbers to descend into, level by level, the last one that of packed numbers, each byte of
// which counts as a field: {3, 2, 2} counts the message's own fields, those of every field 3, those of every field 2 in
// these, and the bytes of every field 2 in these. Returns false if there are more than `limit` or the bytes are no
// message.
bool FieldsWithin(google::protobuf::io::ZeroCopyInputStream& message, absl::Span<const int> path, int limit);

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

// Something that changes, as one client asked for it. Thread-safe.
class Watched {
 public:
  virtual ~Watched() = default;
  // The serialised answer as of now; an error is the call's end.
  virtual absl::StatusOr<std::string> Current() const = 0;
  // Why there will be no other; OK: there may be.
  virtual absl::Status End() const = 0;
};

// The language of a method that computes nothing and tells a state: once, or as a stream that tells each change of it.
// Such a method is open to everybody and passes by the gate. Thread-safe.
class WatchCodec {
 public:
  virtual ~WatchCodec() = default;
  // Parses a request. In a stream `changed` is called after each change, by any thread, until the result is gone and
  // for a last time while it goes.
  virtual absl::StatusOr<std::unique_ptr<Watched>> Watch(RequestBytes& bytes, std::function<void()> changed) const = 0;
};

// The code that a protocol answers with for each of our errors, by the number of its absl::StatusCode.
using StatusCodes = std::array<int, 17>;
// gRPC's codes are absl's, number by number.
inline constexpr StatusCodes kGrpcCodes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

struct Method {
  std::string name;        // as in the .proto, and in metrics: "Classify"
  bool streaming = false;  // requests and answers, or only answers if it is a watch; else one of each
  // One of the two.
  std::unique_ptr<const Codec> codec{};
  std::unique_ptr<const WatchCodec> watch{};
  bool computes = true;  // its requests are for the scheduler; else they are answered while they are decoded
};

// A service that clients may call, as data: the edge serves any number of them.
struct Protocol {
  std::string service;  // with its package: "resnetd.v1.InferenceService"
  std::vector<Method> methods;
  StatusCodes codes = kGrpcCodes;
};

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_CODEC_H_
