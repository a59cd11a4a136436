#ifndef RESNETD_SERVER_EDGE_NATIVE_CODEC_H_
#define RESNETD_SERVER_EDGE_NATIVE_CODEC_H_

#include "server/edge/codec.h"

namespace resnetd::server {

class ModelRepository;
struct EdgeOptions;

// resnetd.v1.InferenceService. `models` outlives it; of the options it takes the limits of requests.
Protocol NativeProtocol(const ModelRepository& models, const EdgeOptions& options);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_EDGE_NATIVE_CODEC_H_
