#ifndef RESNETD_CLI_EVALUATE_LABELLED_IMAGES_H_
#define RESNETD_CLI_EVALUATE_LABELLED_IMAGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

// Images whose classes are known, to evaluate a model with.
namespace resnetd::cli {

// The classes that a classifier tells apart.
struct ClassNames {
  int count = 0;
  std::vector<std::string> labels;  // one a class, or empty

  std::string Of(int index) const;  // "cat", or "#3" where there are no labels
};

struct LabelledImage {
  std::string path;
  std::string name;   // the path beneath the folder, or as the list has it
  std::string label;  // as its folder is called, or as the list says
};

struct LabelledImages {
  std::vector<LabelledImage> images;
  bool from_folders = false;
};

// Reads a folder with a folder for each class, as torchvision's ImageFolder, sorted by path; or a list with lines
// "path label", paths relative to it or to the current folder. INVALID_ARGUMENT: no images, or no such folders;
// NOT_FOUND.
absl::StatusOr<LabelledImages> ReadLabelledImages(const std::string& path);

// The way in which labels were understood.
enum class Reading : uint8_t {
  kLabels,   // each is one of the model's
  kIndices,  // some, or all, are classes' indices
  kOrder,    // folders' names say nothing to the model, their order was taken
};

struct TrueClasses {
  std::vector<int> of_image;
  Reading reading = Reading::kLabels;
  // The first folder read as an index that ImageFolder, which goes by the order of the names, takes for another class,
  // and that class: of folders 0 to 10 it is 10, its class 2.
  std::optional<std::pair<std::string, int>> image_folder_differs;
};

// A label is one of the model's, or a class's index. Where no folder's is either, and there are as many folders as
// classes, they are taken in the order of their names, as ImageFolder does. INVALID_ARGUMENT names the label that is
// unknown, or that several classes have.
absl::StatusOr<TrueClasses> FindTrueClasses(const LabelledImages& data, const ClassNames& classes);

// The one class that `label` names.
absl::StatusOr<int> FindClass(const std::string& label, const ClassNames& classes);

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_EVALUATE_LABELLED_IMAGES_H_
