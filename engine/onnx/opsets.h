#ifndef RESNETD_ENGINE_ONNX_OPSETS_H_
#define RESNETD_ENGINE_ONNX_OPSETS_H_

namespace resnetd::onnx {

// The versions of ONNX's operator set that are read.
inline constexpr int kOldestOpset = 7;
inline constexpr int kNewestOpset = 28;

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_OPSETS_H_
