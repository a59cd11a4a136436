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
      {"Concat", ImportConcat},  // of shapes
      {"Constant", ImportConstant},
      {"Conv", ImportConv},
      {"Dropout", ImportSame},
      {"Flatten", ImportFlatten},
      {"Gather", ImportGather},  // of shapes
      {"Gemm", ImportGemm},
      {"GlobalAveragePool", ImportGlobalAveragePool},
      {"Identity", ImportSame},
      {"MatMul", ImportMatMul},
      {"MaxPool", ImportMaxPool},
      {"Pad", ImportPad},
      {"ReduceMean", ImportReduceMean},  // over height and width
      {"Relu", ImportRelu},
      {"Reshape", ImportReshape},  // to a vector
      {"Shape", ImportShape},
      {"Slice", ImportSlice},
      {"Softmax", ImportSoftmax},  // at the end
      {"Squeeze", ImportSqueeze},
      {"Unsqueeze", ImportUnsqueeze},  // of shapes
  };
  for (const Entry& entry : kTable) {
    if (op_type == entry.op_type) return entry.importer;
  }
  return nullptr;
}

}  // namespace resnetd::onnx
