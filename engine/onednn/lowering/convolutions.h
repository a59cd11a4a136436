#ifndef RESNETD_ENGINE_ONEDNN_LOWERING_CONVOLUTIONS_H_
#define RESNETD_ENGINE_ONEDNN_LOWERING_CONVOLUTIONS_H_

#include <cstdint>
#include <dnnl.hpp>

#include "engine/graph/graph.h"

// Some convolutions are computed by our own kernels, and not by the library.
namespace resnetd::onednn {

// A convolution is computed by the library, or by a kernel of ours.
enum class ConvolutionKernel : uint8_t {
  kLibrary,
  kWinograd,  // kernels::RunWinograd()
  kGrouped,   // kernels::RunGroupedConvolution()
};

// An epilogue follows the sum of a convolution: anything that a kernel of ours does not know, or + a residual of
// the result's dims, max(y, 0).
struct Epilogue {
  bool other = false, residual = false, relu = false;
};

// Returns the faster of those that can compute it on `isa`, which is the library's effective one
// (dnnl::get_effective_cpu_isa()). `src` and `dst` are the dims CxHxW of one image: all batch sizes and thread counts
// make the same choice, so that they share the packed weights. A pure function.
ConvolutionKernel ChooseKernel(const graph::Conv& conv, const graph::Dims& src, const graph::Dims& dst,
                               const Epilogue& epilogue, dnnl::cpu_isa isa);

}  // namespace resnetd::onednn

#endif  // RESNETD_ENGINE_ONEDNN_LOWERING_CONVOLUTIONS_H_
