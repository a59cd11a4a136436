// Every operator we read. An operator that is missing here makes a load fail with its name.
#include "engine/onnx/import.h"

namespace resnetd::onnx {

Importer FindImporter(absl::string_view op_type) {
  struct Entry {
    const char* op_type;
    Importer importer;
  };
  static constexpr Entry kTable[] = {
      {"Add", ImportAdd},
      {"AveragePool", ImportAveragePool},
      {"BatchNormalization", ImportBatchNormalization},
      {"Cast", ImportCast},      // of integers
      {"Concat", ImportConcat},  // of integers
      {"Constant", ImportConstant},
      {"ConstantOfShape", ImportConstantOfShape},  // of integers
      {"Conv", ImportConv},
      {"Dropout", ImportSame},
      {"Flatten", ImportFlatten},
      {"Gather", ImportGather},  // of integers
      {"Gemm", ImportGemm},
      {"GlobalAveragePool", ImportGlobalAveragePool},
      {"Identity", ImportSame},
      {"MatMul", ImportMatMul},
      {"MaxPool", ImportMaxPool},
      {"Pad", ImportPad},
      {"ReduceMean", ImportReduceMean},  // over height and width
      {"Relu", ImportRelu},
      {"Reshape", ImportReshape},  // to a vector, or of integers
      {"Shape", ImportShape},
      {"Slice", ImportSlice},      // of feature maps or integers
      {"Softmax", ImportSoftmax},  // at the end
      {"Squeeze", ImportSqueeze},
      {"Transpose", ImportTranspose},  // of integers
      {"Unsqueeze", ImportUnsqueeze},  // of integers
  };
  for (const Entry& entry : kTable) {
    if (op_type == entry.op_type) return entry.importer;
  }
  return nullptr;
}

}  // namespace resnetd::onnx
