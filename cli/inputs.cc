// Turns names on the command line into files, bytes and labels.
#include "cli/inputs.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/echo.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace resnetd::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostImageBytes = size_t{1} << 31;  // no message of gRPC's holds more

bool LooksLikeImage(const fs::path& path) {
  const std::string extension = absl::AsciiStrToLower(path.extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" || extension == ".webp";
}

absl::StatusOr<std::vector<std::string>> ImagesBeneath(const std::string& folder) {
  std::vector<std::string> images;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored) && LooksLikeImage(it->path())) images.push_back(it->path().string());
  }
  if (error)
    return absl::InvalidArgumentError(absl::StrCat("cannot read folder ", EchoPath(folder), ": ", error.message()));
  if (images.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no .jpg, .jpeg, .png or .webp file beneath folder ", EchoPath(folder)));
  }
  std::sort(images.begin(), images.end());
  return images;
}

std::string Normal(const fs::path& path) {
  return path.lexically_normal().string();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ExpandInputs(const std::vector<std::string>& names) {
  std::vector<std::string> files;
  for (const std::string& name : names) {
    std::error_code ignored;
    if (!fs::is_directory(name, ignored)) {
      files.push_back(name);
      continue;
    }
    RESNETD_ASSIGN_OR_RETURN(const std::vector<std::string> images, ImagesBeneath(name));
    files.insert(files.end(), std::make_move_iterator(images.begin()), std::make_move_iterator(images.end()));
  }
  return files;
}

absl::StatusOr<std::string> ReadImageFile(const std::string& path) {
  return ReadFile(path, kMostImageBytes);
}

absl::Status OutcomeOf(const absl::Status& decoded, absl::string_view file) {
  const absl::Span<const std::byte> bytes(reinterpret_cast<const std::byte*>(file.data()), file.size());
  if (decoded.ok() || !image::HasTooManyPixels(bytes, {})) return decoded;
  return absl::InvalidArgumentError(
      absl::StrCat(decoded.message(), " (resnetctl has no option for more; the server's is --max-image-pixels)"));
}

// A list may come from a program by a pipe, which ReadFile() refuses.
absl::StatusOr<std::vector<LabelLine>> ReadLabelLines(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open ", EchoPath(path), ": ", std::strerror(errno)));
  std::vector<LabelLine> lines;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const absl::string_view stripped = absl::StripAsciiWhitespace(line);
    if (stripped.empty()) continue;
    size_t gap = stripped.find('\t');
    if (gap == absl::string_view::npos) gap = stripped.find(' ');
    if (gap == absl::string_view::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat(EchoPath(path), " line ", number, ": expected \"path label\", got \"", Echo(stripped), "\""));
    }
    lines.push_back(
        {std::string(stripped.substr(0, gap)), std::string(absl::StripLeadingAsciiWhitespace(stripped.substr(gap)))});
  }
  return lines;
}

absl::StatusOr<ExpectedLabels> ExpectedLabels::Read(const std::string& path) {
  RESNETD_ASSIGN_OR_RETURN(const std::vector<LabelLine> lines, ReadLabelLines(path));
  const fs::path folder = fs::path(path).parent_path();
  ExpectedLabels expected;
  for (const auto& [image, label] : lines) {
    expected.labels_.insert_or_assign(Normal(image), label);
    expected.labels_.insert_or_assign(Normal(folder / image), label);
  }
  return expected;
}

const std::string* ExpectedLabels::Find(const std::string& image_path) const {
  const auto it = labels_.find(Normal(image_path));
  return it == labels_.end() ? nullptr : &it->second;
}

}  // namespace resnetd::cli
