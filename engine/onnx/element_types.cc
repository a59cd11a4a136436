// binary16: sign | 5 bits of exponent, biased by 15 | 10 bits of fraction. binary32 has 8 bits, biased by 127, and 23.
//
//   exponent 31   infinity or NaN: all ones again, the fraction moved
//   exponent 1..30  normal: the bias changes by 112, the fraction moves
//   exponent 0    fraction * 2^-24, a normal float32 unless it is 0
//
// Integers and one exact multiplication: no state of the processor (denormals-are-zero) can change the result.
#include "engine/onnx/element_types.h"

#include <bit>

#include "absl/strings/str_cat.h"
#include "engine/onnx/parse.h"

namespace resnetd::onnx {

// The schema library may be older than the file.
std::string TypeName(int64_t data_type) {
  switch (data_type) {
    case 17:
      return "FLOAT8E4M3FN";
    case 18:
      return "FLOAT8E4M3FNUZ";
    case 19:
      return "FLOAT8E5M2";
    case 20:
      return "FLOAT8E5M2FNUZ";
    case 21:
      return "UINT4";
    case 22:
      return "INT4";
    case 23:
      return "FLOAT4E2M1";
    case 24:
      return "FLOAT8E8M0";
    case 25:
      return "UINT2";
    case 26:
      return "INT2";
    default:
      break;
  }
  const bool known =
      data_type == static_cast<int>(data_type) && TensorProto::DataType_IsValid(static_cast<int>(data_type));
  if (!known) return absl::StrCat("data type ", data_type);
  return TensorProto::DataType_Name(static_cast<TensorProto::DataType>(data_type));
}

bool IsFloating(int64_t data_type) {
  return data_type == TensorProto::FLOAT || data_type == TensorProto::FLOAT16 || data_type == TensorProto::BFLOAT16 ||
         data_type == TensorProto::DOUBLE;
}

float FromFloat16(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16, exponent = (bits >> 10) & 0x1F, fraction = bits & 0x3FF;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 31 ? 0xFF : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

float FromBfloat16(uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

}  // namespace resnetd::onnx
