#include "base/file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace resnetd {
namespace {

using ::testing::HasSubstr;

TEST(File, WritesItsPartsWholeOrNotAtAll) {
  const TempFolder folder;
  ASSERT_TRUE(WriteFile(folder / "file", {"one", "", "two"}).ok());
  EXPECT_EQ(ReadFile(folder / "file", 100).value(), "onetwo");
  ASSERT_TRUE(WriteFile(folder / "file", {"three"}).ok());
  EXPECT_EQ(ReadFile(folder / "file", 100).value(), "three");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "nothing is left beside it";

  std::filesystem::create_symlink("file", folder / "link");
  ASSERT_TRUE(WriteFile(folder / "link", {"four"}).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(ReadFile(folder / "file", 100).value(), "four");

  const absl::Status nowhere = WriteFile(folder / "none/file", {"x"});
  EXPECT_EQ(nowhere.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(nowhere.message()), ::testing::EndsWith("/none/file: No such file or directory"));
  const absl::Status full = WriteFile("/dev/full", {std::string(1 << 20, 'x')});
  EXPECT_THAT(std::string(full.message()), HasSubstr("cannot write /dev/full: No space left on device"));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full")) << "a device is written to and not replaced";
}

TEST(File, ReadsUpToTheLimit) {
  const TempFolder folder;
  struct Case {
    size_t bytes, max_bytes;
    bool ok;
  };
  for (const Case& c : {Case{0, 0, true}, Case{1, 0, false}, Case{0, 100, true}, Case{99, 100, true},
                        Case{100, 100, true}, Case{101, 100, false}, Case{5'000'000, 100, false},
                        Case{5'000'000, 5'000'000, true}, Case{5, std::numeric_limits<size_t>::max(), true}}) {
    SCOPED_TRACE(testing::Message() << c.bytes << " bytes, at most " << c.max_bytes);
    std::string content(c.bytes, '\0');
    for (size_t i = 0; i < c.bytes; ++i) content[i] = static_cast<char>(i * 7);
    folder.Write("file", content);
    const absl::StatusOr<std::string> read = ReadFile(folder / "file", c.max_bytes);
    if (c.ok) {
      ASSERT_TRUE(read.ok()) << read.status();
      EXPECT_TRUE(*read == content);
    } else {
      EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(read.status().message(), HasSubstr(folder / "file"));
      EXPECT_THAT(read.status().message(), HasSubstr(absl::StrCat("at most ", c.max_bytes, " bytes, got ", c.bytes)));
    }
  }
}

// Its size says enough: not a byte of it is read, or memory taken for it.
TEST(File, RefusesALargeOneUnread) {
  const TempFolder folder;
  folder.Write("file");
  constexpr uintmax_t kSize = uintmax_t{1} << 42;
  std::filesystem::resize_file(folder / "file", kSize);  // no block of it is on the disk
  const absl::Status status = ReadFile(folder / "file", kSize - 1).status();
  EXPECT_EQ(status, absl::InvalidArgumentError(
                        absl::StrCat("'", folder / "file", "': expected at most ", kSize - 1, " bytes, got ", kSize)));
}

TEST(File, RefusesWhatIsNoRegularFile) {
  const TempFolder folder;
  ASSERT_EQ(mkdir((folder / "folder").c_str(), 0700), 0);
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);  // nobody writes to it: opening it must not wait
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  const auto close_listener = absl::MakeCleanup([listener] { close(listener); });
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT((folder / "socket").size(), sizeof address.sun_path);
  (folder / "socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  for (const std::string& path : {folder / "folder", folder / "pipe", folder / "socket", std::string("/dev/null")}) {
    const absl::Status status = ReadFile(path, 100).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("'", path, "': expected a regular file")));
  }
}

TEST(File, SaysWhatIsNotThere) {
  const TempFolder folder;
  folder.Write("file");
  ASSERT_EQ(symlink("nowhere", (folder / "dangling").c_str()), 0);
  for (const std::string& path :
       {folder / "missing", folder / "missing/file", folder / "file/file", folder / "dangling", std::string()}) {
    const absl::Status status = ReadFile(path, 100).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
    EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("'", path, "'")));
  }
}

TEST(File, FollowsLinks) {
  const TempFolder folder;
  folder.Write("data/file", "content");
  ASSERT_EQ(symlink("data/file", (folder / "link").c_str()), 0);
  EXPECT_EQ(ReadFile(folder / "link", 100).value_or(""), "content");
}

TEST(File, SaysWhatMayNotBeRead) {
  const TempFolder folder;
  folder.Write("secret", "content");
  ASSERT_EQ(chmod((folder / "secret").c_str(), 0), 0);
  const uid_t user = geteuid();
  if (user == 0) {
    ASSERT_EQ(seteuid(65534), 0);  // root may read everything
  }
  const absl::Status status = ReadFile(folder / "secret", 100).status();
  ASSERT_EQ(seteuid(user), 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(status.message(), HasSubstr(folder / "secret"));
}

TEST(File, RefusesOneThatGrows) {
  // The kernel says that this one has no bytes, and gives some.
  const absl::Status status = ReadFile("/proc/self/status", 1 << 20).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << status;
  EXPECT_THAT(status.message(), HasSubstr("grew while it was read"));
}

TEST(File, RefusesOneThatShrinks) {
  // The kernel says that this one has a page, and gives less.
  const std::string path = "/sys/kernel/mm/transparent_hugepage/enabled";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path;
  const absl::Status status = ReadFile(path, 1 << 20).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << status;
  EXPECT_THAT(status.message(), HasSubstr("it shrank while it was read"));
}

TEST(ReadKernelFile, ThatTellsNoSize) {
  EXPECT_FALSE(ReadKernelFile("/proc/self/stat").empty());
  EXPECT_EQ(ReadKernelFile("/proc/self/no-such-file"), "");
}

}  // namespace
}  // namespace resnetd
