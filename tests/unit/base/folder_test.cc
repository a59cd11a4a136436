// Which files are read and which are refused, on folders laid out for each case: caches, volumes and traps.
#include "base/folder.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"
#include "tests/support/without_openat2.h"

namespace resnetd {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr char kOut[] =
    "F: expected a file below the models' root folder, got a path or a link that leads out of it; --model-root names a "
    "wider one";
constexpr char kCircle[] = "F: expected a file, got links in a circle, or too many of them";
constexpr char kNothing[] = "F: expected a file, got a link to nothing";
constexpr char kNone[] = "F: there is no such file";

// Reads a file from a folder, as "content" or "its message".
std::string Read(const absl::StatusOr<Folder>& folder, const std::string& path) {
  if (!folder.ok()) return absl::StrCat(folder.status().message());
  const absl::StatusOr<OpenFile> file = folder->OpenRegular(path, "F");
  if (!file.ok()) return absl::StrCat(file.status().message());
  const absl::StatusOr<std::string> content = ReadWhole(*file, 1000, "F");
  return content.ok() ? *content : absl::StrCat(content.status().message());
}

struct Case {
  const char* what;
  std::vector<std::pair<std::string, std::string>> links;  // name, target; "@" is the temporary folder
  std::string path;                                        // from root/net
  std::string read;                                        // the content, or the message
  bool without_links = false;                              // read where openat2() is missing too
};

// Paths from root/net, with links, and the file that each leads to; "below" is what lies below `root`.
const Case kPlaces[] = {
    {"a file", {}, "file", "file", true},
    {"in a folder", {}, "data/file", "data/file", true},
    {"by a point", {}, "./data/.//file", "data/file", true},
    {"up and down", {}, "data/../file", "file", true},
    {"one above, and below the root", {}, "../above", "above", true},
    {"two up, out of the root", {}, "../../secret", kOut},
    {"up and in again", {}, "../../root/net/file", "file"},
    {"far up", {}, "../../../../../../../../../../../../../../../../etc/passwd", kOut},
    {"a link to a file", {{"root/net/l", "file"}}, "l", "file"},
    {"a link up", {{"root/net/l", "../above"}}, "l", "above"},
    {"`..` twice", {{"root/net/1/l", "../../blobs/b"}}, "1/l", "blob"},
    {"an absolute link that ends below", {{"root/net/l", "@/root/blobs/b"}}, "l", "blob"},
    {"one by way of a link outside", {{"link", "@/root"}, {"root/net/l", "@/link/blobs/b"}}, "l", "blob"},
    {"one that goes out and comes back", {{"root/net/l", "../../root/blobs/b"}}, "l", "blob"},
    {"a chain",
     {{"root/net/l", "m"}, {"root/net/m", "../n"}, {"root/n", "@/root/net/o"}, {"root/net/o", "data/file"}},
     "l",
     "data/file"},
    {"a folder that is a link", {{"root/net/l", "data"}}, "l/file", "data/file"},
    {"an absolute one", {{"root/net/l", "@/root/blobs"}}, "l/b", "blob"},
    {"up from a folder that is a link", {{"root/net/l", "../blobs"}}, "l/../above", "above"},
    {"a link to /etc/passwd", {{"root/net/l", "/etc/passwd"}}, "l", kOut},
    {"a folder linked to /etc", {{"root/net/l", "/etc"}}, "l/passwd", kOut},
    {"a relative link out", {{"root/net/l", "../../secret"}}, "l", kOut},
    {"a chain that ends outside", {{"root/net/l", "m"}, {"root/net/m", "@/secret"}}, "l", kOut},
    {"a folder whose name begins with the root's", {{"root/net/l", "@/root-not/file"}}, "l", kOut},
    {"an absolute link to nothing", {{"root/net/l", "@/root/none"}}, "l", kOut},
    {"a link to nothing", {{"root/net/l", "none"}}, "l", kNothing},
    {"a link to itself", {{"root/net/l", "l"}}, "l", kCircle},
    {"links to each other", {{"root/net/l", "m"}, {"root/net/m", "../net/l"}}, "l", kCircle},
    {"a magic link", {{"root/net/l", "/proc/self/exe"}}, "l", kOut},
    {"standard input", {{"root/net/l", "/dev/stdin"}}, "l", kOut},
    {"a device by a link", {{"root/net/l", "/dev/zero"}}, "l", kOut},
    {"the root by a link", {{"root/net/l", "@/root"}}, "l", "F: expected a regular file, got a folder"},
    {"a link to a folder", {{"root/net/l", "data"}}, "l", "F: expected a regular file, got a folder"},
    {"nothing", {}, "none", kNone, true},
    {"nothing in a folder", {}, "none/file", kNone, true},
    {"through a file", {}, "file/file", "F: there is no such file: a part of its path is no folder", true},
    {"a file with a slash", {}, "file/", "F: there is no such file: a part of its path is no folder", true},
    {"a folder", {}, "data", "F: expected a regular file, got a folder", true},
    {"a folder with a slash", {}, "data/", "F: expected a regular file, got a folder", true},
    {"the folder itself", {}, ".", "F: expected a regular file, got a folder", true},
    {"the one above", {}, "..", "F: expected a regular file, got a folder", true},
    {"no path", {}, "", "F: expected a file's path from the model's folder, got ''", true},
    {"an absolute path",
     {},
     "/etc/passwd",
     "F: expected a file's path from the model's folder, got '/etc/passwd'",
     true},
    {"a path with a NUL",
     {},
     std::string("file\0x", 6),
     "F: expected a file's path from the model's folder, got 'file\\x00x'",
     true},
    {"a long name", {}, std::string(300, 'n'), "F: expected the path of a file, got one that is longer than any", true},
    {"a hard link", {}, "hard", "secret", true},
};

// The files of every case.
void LayOut(const TempFolder& folder, const Case& c) {
  folder.Write("secret", "secret");
  folder.Write("root-not/file", "not");
  folder.Write("root/above", "above");
  folder.Write("root/blobs/b", "blob");
  folder.Write("root/net/1/file", "1/file");
  folder.Write("root/net/file", "file");
  folder.Write("root/net/data/file", "data/file");
  fs::create_hard_link(folder / "secret", folder / "root/net/hard");
  for (const auto& [name, target] : c.links) {
    fs::create_symlink(absl::StrReplaceAll(target, {{"@", folder.path()}}), folder / name);
  }
}

TEST(Folder, ReadsWhatLiesBelowItsRoot) {
  for (const Case& c : kPlaces) {
    SCOPED_TRACE(c.what);
    const TempFolder folder;
    LayOut(folder, c);
    EXPECT_EQ(Read(Folder::Open(folder / "root/net", folder / "root"), c.path), c.read);
    const auto root = Folder::Open(folder / "root");
    ASSERT_TRUE(root.ok()) << root.status();
    EXPECT_EQ(Read(root->Below("net"), c.path), c.read);
    fs::create_directory_symlink("root/net", folder / "elsewhere");
    EXPECT_EQ(Read(Folder::Open(folder / "elsewhere", folder / "root"), c.path), c.read)
        << "by the operator's own link";
  }
}

TEST(Folder, RefusesLinksWhereOpenat2IsMissing) {
  constexpr char kMissing[] =
      "F: expected a file without links on its path, as openat2() is missing here, by an old kernel or a seccomp "
      "filter, "
      "and links cannot be followed safely without it";
  for (const int error : {ENOSYS, EPERM}) {
    for (const Case& c : kPlaces) {
      SCOPED_TRACE(c.what);
      const TempFolder folder;
      LayOut(folder, c);
      WithoutOpenat2(error, [&] {
        const std::string read = Read(Folder::Open(folder / "root/net", folder / "root"), c.path);
        EXPECT_EQ(read, c.without_links ? c.read : c.links.empty() ? kOut : kMissing);
        EXPECT_EQ(Read(Folder::Open(folder / "root")->Below("net"), c.path), read);
      });
    }
  }
  const TempFolder folder;
  folder.Write("root/v1/file", "file");
  fs::create_directory_symlink("v1", folder / "root/net");
  fs::create_directory_symlink("root", folder / "link");
  WithoutOpenat2(ENOSYS, [&] {
    EXPECT_EQ(Read(Folder::Open(folder / "root")->Below("net"), "file"), kMissing);
    EXPECT_EQ(Read(Folder::Open(folder / "link"), "v1/file"), "file") << "the operator's own link";
  });
}

TEST(Folder, RefusesWhatIsNoRegularFile) {
  const TempFolder folder;
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);  // nobody writes to it: opening it must not wait
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  const auto close_listener = absl::MakeCleanup([listener] { close(listener); });
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT((folder / "socket").size(), sizeof address.sun_path);
  (folder / "socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  fs::create_symlink("pipe", folder / "to-pipe");
  for (const auto& [path, kind] : std::vector<std::pair<std::string, std::string>>{
           {"pipe", "a pipe"}, {"to-pipe", "a pipe"}, {"socket", "a socket"}}) {
    EXPECT_EQ(Read(Folder::Open(folder.path()), path), absl::StrCat("F: expected a regular file, got ", kind)) << path;
  }
  EXPECT_EQ(Read(Folder::Open("/dev"), "zero"), "F: expected a regular file, got a device");
  EXPECT_EQ(Read(Folder(), "file"), kNone);
}

TEST(Folder, ReadsNothingThatItsUserMayNot) {
  const TempFolder folder;
  folder.Write("file", "secret");
  ASSERT_EQ(chmod((folder / "file").c_str(), 0), 0);
  const absl::StatusOr<Folder> opened = Folder::Open(folder.path());
  const uid_t user = geteuid();
  if (user == 0) {
    ASSERT_EQ(seteuid(65534), 0);  // root may read everything
  }
  const absl::Status status = opened->OpenRegular("file", "F").status();
  ASSERT_EQ(seteuid(user), 0);
  EXPECT_EQ(status, absl::PermissionDeniedError("F: this process's user may not read it"));
}

// ---- caches and volumes

TEST(Folder, ASnapshotReadsItsCacheEntry) {
  const TempFolder folder;
  folder.Write("hub/models--a--b/blobs/123", "weights");
  folder.Write("hub/models--a--c/blobs/456", "of another model");
  folder.Write("hub/models--a--b/snapshots/rev/onnx/config", "config");
  const std::string snapshot = "hub/models--a--b/snapshots/rev";
  fs::create_symlink("../../blobs/123", folder / (snapshot + "/data"));
  fs::create_symlink("../../../blobs/123", folder / (snapshot + "/onnx/data"));
  fs::create_symlink(folder / "hub/models--a--b/blobs/123", folder / (snapshot + "/absolute"));
  fs::create_symlink("../../../models--a--c/blobs/456", folder / (snapshot + "/other"));
  fs::create_directory_symlink(folder / snapshot, folder / "link");
  for (const std::string& path : {snapshot, snapshot + "/", std::string("link"), snapshot + "/onnx/.."}) {
    SCOPED_TRACE(path);
    const auto opened = Folder::Open(folder / path);
    EXPECT_EQ(Read(opened, "data"), "weights");
    EXPECT_EQ(Read(opened, "absolute"), "weights");
    EXPECT_EQ(Read(opened, "onnx/config"), "config");
    EXPECT_EQ(Read(opened, "other"), kOut);
  }
  EXPECT_EQ(Read(Folder::Open(folder / (snapshot + "/onnx")), "data"), "weights");
  EXPECT_EQ(Read(Folder::Open(folder / snapshot, folder / "hub"), "other"), "of another model");
  EXPECT_EQ(Read(Folder::Open(folder / snapshot, folder / snapshot), "data"), kOut) << "the operator's word counts";
  fs::rename(folder / "hub/models--a--b/blobs", folder / "hub/models--a--b/other");
  EXPECT_EQ(Read(Folder::Open(folder / snapshot), "../../other/123"), kOut) << "a folder of that name is no cache";
}

TEST(Folder, AConfigMapMayBeUpdatedMeanwhile) {
  const TempFolder folder;
  folder.Write("..2026_1/labels", "first");
  folder.Write("..2026_2/labels", "second");
  fs::create_directory_symlink("..2026_1", folder / "..data");
  fs::create_symlink("..data/labels", folder / "labels");
  fs::create_symlink(folder / "..data/labels", folder / "absolute");
  const auto opened = Folder::Open(folder.path());
  EXPECT_EQ(Read(opened, "labels"), "first");
  EXPECT_EQ(Read(opened, "absolute"), "first");
  fs::create_directory_symlink("..2026_2", folder / "..data_tmp");
  fs::rename(folder / "..data_tmp", folder / "..data");
  fs::remove_all(folder / "..2026_1");
  EXPECT_EQ(Read(opened, "labels"), "second");
  EXPECT_EQ(Read(opened, "absolute"), "second");
}

// KServe's modelcar: the models lie in another container's file system, which a link in /proc leads to.
TEST(Folder, AModelcarIsReadThroughProc) {
  const TempFolder folder;
  folder.Write("models/blob", "weights");
  folder.Write("models/1/file", "file");
  fs::create_symlink("../blob", folder / "models/1/up");
  fs::create_directory_symlink(absl::StrCat("/proc/", getpid(), "/root", folder / "models"), folder / "mnt");
  fs::create_symlink(folder / "mnt/blob", folder / "models/1/absolute");
  const auto opened = Folder::Open(folder / "mnt");
  EXPECT_EQ(Read(opened->Below("1"), "file"), "file");
  EXPECT_EQ(Read(opened->Below("1"), "up"), "weights");
  EXPECT_EQ(Read(opened->Below("1"), "absolute"), "weights");
  EXPECT_EQ(Read(Folder::Open(folder / "mnt/1", folder / "mnt"), "up"), "weights");
}

TEST(Folder, FollowsAsManyLinksAsTheKernelDoes) {
  const TempFolder folder;
  folder.Write("0", "file");
  for (int i = 1; i <= 41; ++i) fs::create_symlink(absl::StrCat(i - 1), folder / absl::StrCat(i));
  EXPECT_EQ(Read(Folder::Open(folder.path()), "40"), "file");
  EXPECT_EQ(Read(Folder::Open(folder.path()), "41"), kCircle);
}

TEST(Folder, TheWorkingFolderMayChange) {
  const TempFolder folder;
  folder.Write("net/file", "file");
  const fs::path before = fs::current_path();
  fs::current_path(folder / "net");
  const auto opened = Folder::Open("");
  fs::current_path(before);
  EXPECT_EQ(Read(opened, "file"), "file");
}

TEST(Folder, SaysWhichFolderIsWrong) {
  const TempFolder folder;
  folder.Write("a/b/file", "file");
  folder.Write("ab/file", "file");
  EXPECT_EQ(Folder::Open(folder / "none").status(),
            absl::NotFoundError(absl::StrCat("'", folder / "none", "': there is no such folder")));
  EXPECT_EQ(Folder::Open(folder / "a/b/file").status(),
            absl::NotFoundError(absl::StrCat("'", folder / "a/b/file", "': there is no such folder")));
  EXPECT_EQ(Folder::Open(folder / "a", folder / "none").status().code(), absl::StatusCode::kNotFound);
  for (const char* path : {"ab", ""}) {
    const absl::Status status = Folder::Open(folder / path, folder / "a").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("--model-root: expected a folder with '"));
  }
  EXPECT_EQ(Read(Folder::Open(folder / "a/b", "/"), "file"), "file");
  EXPECT_EQ(Read(Folder::Open(folder / "a/b/../b", folder / "a/."), "../b/file"), "file");
}

// ---- what changes meanwhile

TEST(Folder, IsFollowedOnce) {
  const TempFolder folder;
  folder.Write("v1/file", "first");
  folder.Write("v2/file", "second");
  folder.Write("outside", "outside");
  fs::create_directory_symlink("v1", folder / "net");
  const Folder opened = Folder::Open(folder.path())->Below("net");
  fs::remove(folder / "net");
  fs::create_directory_symlink("v2", folder / "net");
  EXPECT_EQ(Read(opened, "file"), "first") << "all files of a model come from one folder";
}

// A link that another thread swaps as fast as it can, between a file below the root and ones outside: what is read is
// never theirs.
TEST(Folder, ALinkThatIsSwappedNeverLeadsOut) {
  const TempFolder folder;
  folder.Write("secret/file", "secret");
  folder.Write("root/inside/file", "inside");
  for (const bool of_folder : {false, true}) {
    for (const bool absolute : {false, true}) {
      SCOPED_TRACE(testing::Message() << of_folder << absolute);
      const std::string link = folder / "root/link", next = folder / "root/next";
      const std::string file = of_folder ? "" : "/file";
      const std::string targets[] = {(absolute ? folder / "root/inside" : "inside") + file,
                                     (absolute ? folder / "secret" : "../secret") + file};
      fs::create_symlink(targets[0], link);
      std::atomic<bool> done = false;
      std::thread swapper([&] {
        for (int i = 1; !done; ++i) {
          ASSERT_EQ(symlink(targets[i % 2].c_str(), next.c_str()), 0);
          ASSERT_EQ(rename(next.c_str(), link.c_str()), 0);
        }
      });
      const auto opened = Folder::Open(folder / "root");
      int inside = 0, refused = 0;
      for (int i = 0; i < 20'000 && (i < 2'000 || inside == 0 || refused == 0); ++i) {
        const std::string read = Read(opened, of_folder ? "link/file" : "link");
        inside += read == "inside", refused += read == kOut;
        EXPECT_TRUE(read == "inside" || read == kOut) << read;
      }
      done = true;
      swapper.join();
      EXPECT_GT(inside, 0);
      EXPECT_GT(refused, 0);
      fs::remove(link);
    }
  }
}

}  // namespace
}  // namespace resnetd
