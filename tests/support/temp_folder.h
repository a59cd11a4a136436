#ifndef RESNETD_TESTS_SUPPORT_TEMP_FOLDER_H_
#define RESNETD_TESTS_SUPPORT_TEMP_FOLDER_H_

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

// A folder of the running test's own, removed with all that is in it.
namespace resnetd {

class TempFolder {
 public:
  TempFolder() {
    const auto& test = *testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::path(testing::TempDir()) / absl::StrCat(test.name(), "-", getpid());
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  // Makes the folders above it too.
  void Write(const std::string& name, const std::string& content = "") const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << content;
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace resnetd

#endif  // RESNETD_TESTS_SUPPORT_TEMP_FOLDER_H_
