// Turns names on the command line into files, bytes and labels.
#include "cli/inputs.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/echo.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace resnetd::cli {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";
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
    if (IsHidden(it->path().filename().string())) {
      it.disable_recursion_pending();
      continue;
    }
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

absl::StatusOr<std::string> ReadStandardInput() {
  std::string content;
  std::array<char, 1 << 16> part;
  while (std::cin.read(part.data(), part.size()) || std::cin.gcount() > 0) {
    content.append(part.data(), static_cast<size_t>(std::cin.gcount()));
    if (content.size() > kMostImageBytes) {
      return absl::InvalidArgumentError(absl::StrCat("expected at most ", kMostImageBytes, " bytes on standard input"));
    }
  }
  if (content.empty()) return absl::InvalidArgumentError("expected an image on standard input, got nothing");
  return content;
}

std::string Normal(const fs::path& path) {
  return path.lexically_normal().string();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ExpandInputs(const std::vector<std::string>& names) {
  std::vector<std::string> files;
  for (const std::string& name : names) {
    std::error_code ignored;
    if (name == kStandardInput && absl::c_linear_search(files, name)) {
      return absl::InvalidArgumentError("expected - once: standard input is one image");
    }
    if (name == kStandardInput || !fs::is_directory(name, ignored)) {
      files.push_back(name);
      continue;
    }
    RESNETD_ASSIGN_OR_RETURN(const std::vector<std::string> images, ImagesBeneath(name));
    files.insert(files.end(), std::make_move_iterator(images.begin()), std::make_move_iterator(images.end()));
  }
  return files;
}

bool IsHidden(absl::string_view name) {
  return absl::StartsWith(name, ".");
}

absl::StatusOr<std::vector<std::string>> ReadPathList(const std::string& list) {
  std::ifstream file;
  if (list != kStandardInput) {
    file.open(list);
    if (!file) return absl::NotFoundError(absl::StrCat("cannot open ", EchoPath(list), ": ", std::strerror(errno)));
  }
  std::istream& lines = list == kStandardInput ? std::cin : file;
  std::vector<std::string> paths;
  bool first = true;
  for (std::string line; std::getline(lines, line); first = false) {
    absl::string_view path = line;
    if (first) absl::ConsumePrefix(&path, kByteOrderMark);
    absl::ConsumeSuffix(&path, "\r");
    if (absl::StripAsciiWhitespace(path).empty()) continue;
    paths.push_back(path == kStandardInput ? "./-" : std::string(path));
  }
  if (!paths.empty()) return paths;
  return absl::InvalidArgumentError(absl::StrCat("expected a path a line in ", EchoPath(list), ", found none"));
}

void AddImageArguments(CLI::App& app, ImageArguments& arguments, const std::string& help) {
  app.add_option("images", arguments.names, help);
  app.add_option("--from-file", arguments.list, "More images: a text file with a path a line; -: standard input");
}

absl::StatusOr<std::vector<std::string>> ImagesOf(const ImageArguments& arguments) {
  if (arguments.names.empty() && arguments.list.empty()) {
    return absl::InvalidArgumentError("expected images: files, folders, - or --from-file LIST, got none");
  }
  RESNETD_ASSIGN_OR_RETURN(std::vector<std::string> files, ExpandInputs(arguments.names));
  if (arguments.list.empty()) return files;
  if (arguments.list == kStandardInput && absl::c_linear_search(files, kStandardInput)) {
    return absl::InvalidArgumentError("--from-file: expected a file's name beside the image -, got - too");
  }
  absl::StatusOr<std::vector<std::string>> listed = ReadPathList(arguments.list);
  if (!listed.ok())
    return absl::Status(listed.status().code(), absl::StrCat("--from-file: ", listed.status().message()));
  files.insert(files.end(), std::make_move_iterator(listed->begin()), std::make_move_iterator(listed->end()));
  return files;
}

absl::StatusOr<std::string> ReadImageFile(const std::string& path) {
  return path == kStandardInput ? ReadStandardInput() : ReadFile(path, kMostImageBytes);
}

absl::StatusOr<std::string> ReadListedImage(const std::string& path) {
  absl::StatusOr<std::string> file = ReadImageFile(path);
  if (file.ok()) return file;
  const std::string name = QuotedPath(path);
  return absl::Status(
      file.status().code(),
      absl::StrReplaceAll(file.status().message(), {{name + ": ", ""}, {" " + name, ""}, {name + " ", ""}}));
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
