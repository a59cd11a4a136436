#ifndef RESNETD_CLI_INPUTS_H_
#define RESNETD_CLI_INPUTS_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/image/image.h"

namespace resnetd::cli {

// The files that `names` stand for, in their order. A folder stands for every .jpg, .jpeg, .png and .webp beneath it,
// sorted by path; links to folders are not followed. Any other name is taken as it is, whether or not the file exists:
// that is found when it is read. INVALID_ARGUMENT: a folder without images, or one that cannot be read.
absl::StatusOr<std::vector<std::string>> ExpandInputs(const std::vector<std::string>& names);

// The whole file. Errors are ReadFile()'s.
absl::StatusOr<std::string> ReadImageFile(const std::string& path);

// The outcome of decoding an image `file` with the default limits; where there were too many pixels, it says too that
// resnetctl has no option for more.
absl::Status OutcomeOf(const absl::Status& decoded, absl::string_view file);

struct LabelLine {
  std::string image, label;
};

// The lines "path label" of a text file, in their order, empty ones left out. The path ends at the first tab, or at the
// first space where the line has no tab. NOT_FOUND, or INVALID_ARGUMENT naming the line.
absl::StatusOr<std::vector<LabelLine>> ReadLabelLines(const std::string& path);

// Labels of images, read from such a file. A path in it is the image's as given to the command, or relative to the
// file.
class ExpectedLabels {
 public:
  // NOT_FOUND, or INVALID_ARGUMENT naming the line.
  static absl::StatusOr<ExpectedLabels> Read(const std::string& path);
  // Null for an image the file does not name.
  const std::string* Find(const std::string& image_path) const;

 private:
  absl::flat_hash_map<std::string, std::string> labels_;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_INPUTS_H_
