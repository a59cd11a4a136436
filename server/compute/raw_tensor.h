#ifndef RESNETD_SERVER_COMPUTE_RAW_TENSOR_H_
#define RESNETD_SERVER_COMPUTE_RAW_TENSOR_H_

#include <cstdint>

#include "engine/image/image.h"
#include "server/compute/image_job.h"

namespace resnetd::server {

// The float of an IEEE 754 binary16 number, exactly; of infinities and NaNs, something finite.
float FromHalf(uint16_t half);

// A tensor of floats, kTensorF32 or kTensorF16 in either layout, to wherever the slot has them. `source` has the size
// of `dst`, and its bytes need no alignment.
void CopyTensor(const ImageSource& source, const image::TensorView& dst);

}  // namespace resnetd::server

#endif  // RESNETD_SERVER_COMPUTE_RAW_TENSOR_H_
