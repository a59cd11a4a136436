#ifndef RESNETD_ENGINE_ONNX_ELEMENT_TYPES_H_
#define RESNETD_ENGINE_ONNX_ELEMENT_TYPES_H_

#include <cstdint>
#include <string>

namespace resnetd::onnx {

// "FLOAT16", or "data type 99" where the schema has no name for it.
std::string TypeName(int64_t data_type);

// FLOAT, FLOAT16, BFLOAT16 and DOUBLE: the types whose values are float32 here.
bool IsFloating(int64_t data_type);

// The float of an IEEE 754 binary16 number, exactly, infinities and NaNs among them.
float FromFloat16(uint16_t bits);
// The same of a bfloat16 number, the upper half of a float32.
float FromBfloat16(uint16_t bits);

}  // namespace resnetd::onnx

#endif  // RESNETD_ENGINE_ONNX_ELEMENT_TYPES_H_
