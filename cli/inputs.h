#ifndef RESNETD_CLI_INPUTS_H_
#define RESNETD_CLI_INPUTS_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/image/image.h"

namespace CLI {
class App;
}

namespace resnetd::cli {

// In place of an image's path: the one image that comes by standard input.
inline constexpr char kStandardInput[] = "-";

// The files that `names` stand for, in their order. A folder stands for every .jpg, .jpeg, .png and .webp beneath it,
// sorted by path; links to folders are not followed, and names that begin with a dot are passed over. Any other name is
// taken as it is, whether or not the file exists: that is found when it is read. INVALID_ARGUMENT: a folder without
// images, one that cannot be read, or standard input more than once.
absl::StatusOr<std::vector<std::string>> ExpandInputs(const std::vector<std::string>& names);

// The paths of a list, one a line, empty lines left out; "-": the list comes by standard input. Each is an image's as
// it stands there, relative to the current folder. NOT_FOUND, or INVALID_ARGUMENT where there is none.
absl::StatusOr<std::vector<std::string>> ReadPathList(const std::string& list);

// The images of a command: names on its command line, and behind them those of a list.
struct ImageArguments {
  std::vector<std::string> names;
  std::string list;
};

// Declares the positional `images`, with this help, and --from-file.
void AddImageArguments(CLI::App& app, ImageArguments& arguments, const std::string& help);
// ExpandInputs() of the names, then ReadPathList(). INVALID_ARGUMENT: neither is given, or both read standard input.
absl::StatusOr<std::vector<std::string>> ImagesOf(const ImageArguments& arguments);

// The whole file, or kStandardInput. Errors of a file are ReadFile()'s; INVALID_ARGUMENT: nothing came, or too much.
absl::StatusOr<std::string> ReadImageFile(const std::string& path);
// The same for who tells the path beside the error: it does not name the path again.
absl::StatusOr<std::string> ReadListedImage(const std::string& path);

// Whether a file or a folder is hidden, as those are that systems lay beside images: "._photo.jpg", ".thumbnails".
bool IsHidden(absl::string_view name);

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
