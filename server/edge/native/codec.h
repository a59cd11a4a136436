#ifndef RESNETD_SERVER_EDGE_NATIVE_CODEC_H_
#define RESNETD_SERVER_EDGE_NATIVE_CODEC_H_

#include <memory>

#include "server/edge/codec.h"
#include "server/edge/native/request.h"
#include "server/observe/metrics.h"

namespace resnetd::server {

class ModelRepository;

// The codec of a method of resnetd.v1.InferenceService; null for kUnknown. `models` outlives it.
std::unique_ptr<const Codec> NewNativeCodec(Method method, const ModelRepository& models, const RequestLimits& limits);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_NATIVE_CODEC_H_
