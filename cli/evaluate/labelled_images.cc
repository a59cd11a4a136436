#include "cli/evaluate/labelled_images.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/status_macros.h"
#include "cli/inputs.h"

namespace resnetd::cli {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<LabelledImages> FromFolders(const std::string& folder) {
  std::vector<fs::path> classes;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored) && !IsHidden(it->path().filename().string())) classes.push_back(it->path());
  }
  if (error)
    return absl::InvalidArgumentError(absl::StrCat("cannot read folder ", EchoPath(folder), ": ", error.message()));
  if (classes.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("expected a folder for each class in ", EchoPath(folder),
                                                   ", or a list with lines \"path label\""));
  }
  std::sort(classes.begin(), classes.end());
  LabelledImages data;
  data.from_folders = true;
  for (const fs::path& of_class : classes) {
    RESNETD_ASSIGN_OR_RETURN(const std::vector<std::string> files, ExpandInputs({of_class.string()}));
    for (const std::string& file : files) {
      data.images.push_back({file, fs::path(file).lexically_relative(folder).string(), of_class.filename().string()});
    }
  }
  return data;
}

absl::StatusOr<LabelledImages> FromList(const std::string& list) {
  RESNETD_ASSIGN_OR_RETURN(const std::vector<LabelLine> lines, ReadLabelLines(list));
  if (lines.empty()) return absl::InvalidArgumentError(absl::StrCat("no line \"path label\" in ", EchoPath(list)));
  LabelledImages data;
  for (const auto& [image, label] : lines) {
    const fs::path beside = fs::path(list).parent_path() / image;
    std::error_code ignored;
    data.images.push_back({fs::exists(beside, ignored) ? beside.string() : image, image, label});
  }
  return data;
}

}  // namespace

std::string ClassNames::Of(int index) const {
  const auto i = static_cast<size_t>(index);
  return i < labels.size() && !labels[i].empty() ? labels[i] : absl::StrCat("#", index);
}

absl::StatusOr<LabelledImages> ReadLabelledImages(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? FromFolders(path) : FromList(path);
}

absl::StatusOr<int> FindClass(const std::string& label, const ClassNames& classes) {
  const auto& labels = classes.labels;
  const auto found = std::find(labels.begin(), labels.end(), label);
  if (found != labels.end()) {
    const auto again = std::find(found + 1, labels.end(), label);
    if (again == labels.end()) return static_cast<int>(found - labels.begin());
    return absl::InvalidArgumentError(absl::StrCat("classes ", found - labels.begin(), " and ", again - labels.begin(),
                                                   " are both called ", Quoted(label), ": expected an index"));
  }
  int index = 0;
  if (absl::SimpleAtoi(label, &index) && index >= 0 && index < classes.count) return index;
  return absl::InvalidArgumentError(
      absl::StrCat("expected a label of the model, or a class from 0 to ", classes.count - 1, ", got ", Quoted(label)));
}

absl::StatusOr<TrueClasses> FindTrueClasses(const LabelledImages& data, const ClassNames& classes) {
  std::map<std::string, int> class_of;  // by label
  for (const LabelledImage& image : data.images) class_of.emplace(image.label, 0);
  TrueClasses truth;
  absl::Status unknown;
  size_t found = 0;
  for (auto& [label, index] : class_of) {
    const absl::StatusOr<int> known = FindClass(label, classes);
    if (known.ok()) {
      index = *known;
      ++found;
      if (!absl::c_linear_search(classes.labels, label)) truth.reading = Reading::kIndices;
    } else if (unknown.ok()) {
      unknown = known.status();
    }
  }
  if (data.from_folders && found == 0 && class_of.size() == static_cast<size_t>(classes.count)) {
    truth.reading = Reading::kOrder;
    int next = 0;
    for (auto& [label, index] : class_of) index = next++;
  } else if (!unknown.ok()) {
    return unknown;
  }
  if (data.from_folders && truth.reading == Reading::kIndices) {
    int place = 0;
    for (auto it = class_of.begin(); it != class_of.end() && !truth.image_folder_differs; ++it, ++place) {
      if (it->second != place) truth.image_folder_differs.emplace(it->first, place);
    }
  }
  for (const LabelledImage& image : data.images) truth.of_image.push_back(class_of.at(image.label));
  return truth;
}

}  // namespace resnetd::cli
