#ifndef RESNETD_CLI_EVALUATE_CONFUSION_PICTURE_H_
#define RESNETD_CLI_EVALUATE_CONFUSION_PICTURE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "cli/evaluate/evaluation.h"
#include "cli/evaluate/labelled_images.h"

namespace resnetd::cli {

// An SVG file: a row for each true class, a column for each class that images were taken for, darker the larger the
// share of the row's images. Up to 40 classes have their names beside, up to 25 their counts inside.
std::string DrawConfusion(absl::string_view title, const Evaluation& evaluation, const ClassNames& classes);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_EVALUATE_CONFUSION_PICTURE_H_
