#ifndef RESNETD_MODELS_LABELS_H_
#define RESNETD_MODELS_LABELS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace resnetd {

// The labels of a model's classes, by index, from the forms in which they are published. All are UTF-8, with a
// byte-order mark or without:
//
// - one label a line; blank lines at the end count for nothing. If all lines begin with a WordNet id, "n01440764
// tench",
//   or with an index, "0: tench", what follows is the label; indices may come in any order
// - JSON: ["tench", ...]; {"0": "tench", ...}; imagenet_class_index.json, {"0": ["n01440764", "tench"], ...}; Keras'
//   class_indices, {"tench": 0, ...}; a config.json with one of these as id2label, label2id or label_names
// - a dictionary as Python prints it, {0: 'tench', ...}
//
// INVALID_ARGUMENT names the file, as `file`, and what is wrong: UTF-16, other bytes than UTF-8, JSON of another form,
// indices that are not 0 to n - 1, each once.
absl::StatusOr<std::vector<std::string>> ParseLabels(absl::string_view text, absl::string_view file);

// INVALID_ARGUMENT unless there are as many labels as classes.
absl::Status CheckCount(const std::vector<std::string>& labels, absl::string_view file, int classes);

}  // namespace resnetd

#endif  // RESNETD_MODELS_LABELS_H_
