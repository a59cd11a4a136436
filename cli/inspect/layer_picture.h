#ifndef RESNETD_CLI_INSPECT_LAYER_PICTURE_H_
#define RESNETD_CLI_INSPECT_LAYER_PICTURE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "cli/inspect/layer_times.h"

namespace resnetd::cli {

// "Conv 3x3 pad 1 +Add +Relu".
std::string OperatorInWords(const StepInfo& step);

// An SVG file: one horizontal bar a layer, as long as its time and coloured by its kind of operator; the dark part is
// the time its multiply-adds would take at the machine's peak. `machine` is the CPU's model and its instruction set.
std::string DrawLayers(absl::string_view title, absl::string_view machine, const LayerTimes& times);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_INSPECT_LAYER_PICTURE_H_
