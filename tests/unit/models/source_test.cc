// Tests which model a path names, on folders made for each case.
#include "models/source.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/observe/metrics.h"
#include "tests/support/temp_folder.h"

namespace resnetd {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Reads the model's file; the tests write into the result where it lies.
std::string OnnxOf(const ModelSource& source) {
  return source.read(source.onnx_file, 1000).value_or("(not read)");
}

struct FileCase {
  std::string path, name, version, file;
};

const FileCase kFiles[] = {
    {"resnet50.onnx", "resnet50", "1", "resnet50.onnx"},
    {"7/resnet50.onnx", "resnet50", "1", "resnet50.onnx"},
    {"resnet50.v2.onnx", "resnet50.v2", "1", "resnet50.v2.onnx"},
    {"resnet50.v2", "resnet50.v2", "1", "resnet50.v2"},
    {"resnet 50,v2.onnx", "resnet_50_v2", "1", "resnet 50,v2.onnx"},
    {"r\xc3\xa9seau.onnx", "r__seau", "1", "r\xc3\xa9seau.onnx"},
    {".onnx", "model", "1", ".onnx"},
    {"a_b-C.9/model.onnx", "a_b-C.9", "1", "model.onnx"},
    {"net/7/model.onnx", "net", "7", "model.onnx"},
    {"net/007/model.onnx", "net", "007", "model.onnx"},
    {"net/v7/model.onnx", "v7", "1", "model.onnx"},
    {"net/-7/model.onnx", "-7", "1", "model.onnx"},
    {"net/18446744073709551615/model.onnx", "net", "18446744073709551615", "model.onnx"},
    {"net/18446744073709551616/model.onnx", "18446744073709551616", "1", "model.onnx"},
    {"net/./7/model.onnx", "net", "7", "model.onnx"},
    {"net//7//model.onnx", "net", "7", "model.onnx"},
    {"net/7/../8/model.onnx", "net", "8", "model.onnx"},
    {"a net/2/model.onnx", "a_net", "2", "model.onnx"},
};

TEST(FileSource, NamesTheModel) {
  for (const FileCase& c : kFiles) {
    SCOPED_TRACE(c.path);
    const TempFolder folder;
    if (c.path.find("..") != std::string::npos) fs::create_directories(folder / "net/7");
    folder.Write(c.path, "network");
    const ModelSource source = FileSource(folder / c.path);
    EXPECT_EQ(source.name, c.name);
    EXPECT_EQ(source.version, c.version);
    EXPECT_EQ(source.onnx_file, c.file);
    EXPECT_EQ(source.origin, folder / c.path);
    EXPECT_EQ(OnnxOf(source), "network");
  }
}

TEST(FileSource, NamesAModelByTheWorkingFolder) {
  const TempFolder folder;
  folder.Write("net/3/model.onnx", "network");
  const fs::path before = fs::current_path();
  fs::current_path(folder / "net/3");
  const ModelSource source = FileSource("model.onnx");
  fs::current_path(before);
  EXPECT_EQ(source.name, "net");
  EXPECT_EQ(source.version, "3");
  EXPECT_EQ(source.origin, "model.onnx");
  EXPECT_EQ(OnnxOf(source), "network") << "wherever the process goes later";
}

TEST(FileSource, ReadsWhatLiesBeside) {
  const TempFolder folder;
  folder.Write("net/1/model.onnx", "network");
  folder.Write("net/1/labels.txt", "cat\n");
  const ModelSource source = FileSource(folder / "net/1/model.onnx");
  EXPECT_EQ(source.read("labels.txt", 4).value_or(""), "cat\n");
  EXPECT_EQ(source.read("labels.txt", 3).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(source.read("config.textproto", 100).status().code(), absl::StatusCode::kNotFound);
}

TEST(FileSource, FollowsLinksAsTheKernelDoes) {
  const TempFolder folder;
  folder.Write("here/model.onnx", "wrong");
  folder.Write("there/model.onnx", "right");
  fs::create_directories(folder / "there/inner");
  fs::create_directory_symlink(folder / "there/inner", folder / "here/link");
  EXPECT_EQ(OnnxOf(FileSource(folder / "here/link/../model.onnx")), "right");
}

// folder_test.cc tells what is opened and what is not.
TEST(FileSource, ReadsLinksBelowItsRoot) {
  const TempFolder folder;
  folder.Write("blobs/model", "network");
  folder.Write("blobs/labels", "cat\n");
  folder.Write("secret", "secret");
  fs::create_directories(folder / "net/1");
  fs::create_symlink("../../blobs/model", folder / "net/1/model.onnx");
  fs::create_symlink(folder / "blobs/labels", folder / "net/1/labels.txt");
  fs::create_symlink("none", folder / "net/1/config.textproto");
  const ModelSource narrow = FileSource(folder / "net/1/model.onnx");
  const std::string out =
      "expected a file below the models' root folder, got a path or a link that leads out of it; "
      "--model-root names a wider one";
  EXPECT_EQ(narrow.read("model.onnx", 1000).status(), absl::InvalidArgumentError("'model.onnx': " + out));
  EXPECT_EQ(narrow.read("labels.txt", 1000).status(), absl::InvalidArgumentError("'labels.txt': " + out));
  EXPECT_EQ(narrow.read("config.textproto", 1000).status(),
            absl::InvalidArgumentError("'config.textproto': expected a file, got a link to nothing"));
  const ModelSource wide = FileSource(folder / "net/1/model.onnx", folder.path());
  EXPECT_EQ(wide.name, "net");
  EXPECT_EQ(OnnxOf(wide), "network");
  EXPECT_EQ(wide.read("labels.txt", 4).value_or(""), "cat\n");
  const absl::Status beside = FileSource(folder / "net/1/model.onnx", folder / "blobs").read("model.onnx", 1).status();
  EXPECT_EQ(beside, absl::InvalidArgumentError(absl::StrCat("--model-root: expected a folder with '", folder / "net/1",
                                                            "' below it, got '", folder / "blobs", "'")));
}

TEST(FileSource, AMissingFileIsFoundMissingWhenRead) {
  const TempFolder folder;
  for (const std::string& path : {folder / "none.onnx", folder / "none/1/model.onnx"}) {
    const ModelSource source = FileSource(path);
    EXPECT_FALSE(source.name.empty()) << path;
    EXPECT_EQ(source.read(source.onnx_file, 100).status().code(), absl::StatusCode::kNotFound) << path;
  }
}

struct FolderCase {
  std::string what;
  std::vector<std::string> files, folders;
  std::vector<std::string> models;  // "name version path"
};

const FolderCase kFolders[] = {
    {"flat", {"model.onnx", "labels.txt"}, {}, {"FOLDER 1 model.onnx"}},
    {"flat wins", {"model.onnx", "net/1/model.onnx"}, {}, {"FOLDER 1 model.onnx"}},
    {"one version", {"net/1/model.onnx"}, {}, {"net 1 net/1/model.onnx"}},
    {"10 is above 9", {"net/9/model.onnx", "net/10/model.onnx", "net/1/model.onnx"}, {}, {"net 10 net/10/model.onnx"}},
    {"the highest that holds a model", {"net/2/model.onnx", "net/3/labels.txt"}, {"net/4"}, {"net 2 net/2/model.onnx"}},
    {"leading zeros", {"net/007/model.onnx", "net/6/model.onnx"}, {}, {"net 007 net/007/model.onnx"}},
    {"equal numbers", {"net/01/model.onnx", "net/1/model.onnx", "net/001/model.onnx"}, {}, {"net 1 net/1/model.onnx"}},
    {"folders that are no versions",
     {"net/2/model.onnx", "net/v3/model.onnx", "net/4a/model.onnx", "net/-5/model.onnx", "net/6.0/model.onnx",
      "net/+7/model.onnx", "net/ 8/model.onnx", "net/18446744073709551616/model.onnx"},
     {},
     {"net 2 net/2/model.onnx"}},
    {"by name",
     {"b/1/model.onnx", "c/2/model.onnx", "a/3/model.onnx", "B/4/model.onnx"},
     {},
     {"B 4 B/4/model.onnx", "a 3 a/3/model.onnx", "b 1 b/1/model.onnx", "c 2 c/2/model.onnx"}},
    {"what else may lie there",
     {"net/1/model.onnx", "README.md", "other/notes.txt", "1/model.onnx", "net/9"},
     {"empty"},
     {"net 1 net/1/model.onnx"}},
    {"a name to be cleaned", {"my net/1/model.onnx"}, {}, {"my_net 1 my net/1/model.onnx"}},
};

TEST(FolderSources, FindsTheModels) {
  for (const FolderCase& c : kFolders) {
    SCOPED_TRACE(c.what);
    const TempFolder folder;
    for (const std::string& file : c.files) folder.Write(file, absl::StrCat("network of ", file));
    for (const std::string& empty : c.folders) fs::create_directories(folder / empty);
    const std::string own_name = fs::path(folder.path()).filename();
    for (const std::string& path : {folder.path(), folder.path() + "/"}) {
      const auto sources = FolderSources(path);
      ASSERT_TRUE(sources.ok()) << sources.status();
      std::vector<std::string> models;
      for (const ModelSource& s : sources->sources) {
        const std::string where = fs::path(s.origin).lexically_relative(folder.path());
        models.push_back(absl::StrCat(s.name == own_name ? "FOLDER" : s.name, " ", s.version, " ", where));
        EXPECT_EQ(OnnxOf(s), "network of " + where);
      }
      EXPECT_EQ(models, c.models);
    }
  }
}

struct PassedOverCase {
  std::string what;
  std::vector<std::string> files, folders;
  std::vector<std::string> told;  // "path: why"
};

const PassedOverCase kPassedOver[] = {
    {"nothing", {"a/1/model.onnx", "b/2/model.onnx", "README.md", "a/notes.txt"}, {}, {}},
    {"lower versions",
     {"a/9/model.onnx", "a/10/model.onnx", "a/2/model.onnx"},
     {},
     {"a/2: version 10 is the highest", "a/9: version 10 is the highest"}},
    {"a higher version without a model",
     {"a/1/model.onnx", "a/2/model.onxx"},
     {"a/3"},
     {"a/2: there is no model.onnx in it", "a/3: there is no model.onnx in it"}},
    {"names that are no numbers",
     {"a/1/model.onnx", "a/v2/model.onnx", "a/3.0/model.onnx", "a/18446744073709551616/model.onnx"},
     {"a/old"},
     {"a/18446744073709551616: expected a number as the version's name",
      "a/3.0: expected a number as the version's name", "a/old: expected a number as the version's name",
      "a/v2: expected a number as the version's name"}},
    {"no version at all",
     {"a/1/model.onnx", "b/model.onnx", "c/notes.txt"},
     {"d"},
     {"b: expected <version>/model.onnx, found model.onnx", "c: there is no <version>/model.onnx in it",
      "d: there is no <version>/model.onnx in it"}},
    {"folders of tools", {"a/1/model.onnx", "a/.git/x", ".git/x", "..data/1/model.onnx"}, {"lost+found"}, {}},
    {"models beside the one",
     {"model.onnx", "a/1/model.onnx", "weights/part"},
     {},
     {"a/1/model.onnx: the folder's own model.onnx is the one model"}},
};

TEST(FolderSources, SaysWhatIsPassedOver) {
  for (const PassedOverCase& c : kPassedOver) {
    SCOPED_TRACE(c.what);
    const TempFolder folder;
    for (const std::string& file : c.files) folder.Write(file);
    for (const std::string& empty : c.folders) fs::create_directories(folder / empty);
    const auto contents = FolderSources(folder.path());
    ASSERT_TRUE(contents.ok()) << contents.status();
    std::vector<std::string> told;
    for (const std::string& one : c.told) {
      const size_t colon = one.find(": ");
      told.push_back(absl::StrCat("'", folder / one.substr(0, colon), "' is not served", one.substr(colon)));
    }
    EXPECT_THAT(contents->passed_over, ::testing::ElementsAreArray(told));
  }
}

TEST(FolderSources, SaysWhatCannotBeRead) {
  const TempFolder folder;
  folder.Write("a/1/model.onnx");
  fs::create_directory_symlink("2", folder / "a/2");  // to itself
  fs::create_directory_symlink("gone", folder / "a/3");
  fs::create_directory_symlink("b", folder / "b");
  const auto contents = FolderSources(folder.path());
  ASSERT_TRUE(contents.ok()) << contents.status();
  EXPECT_THAT(contents->passed_over,
              ::testing::ElementsAre(HasSubstr("a/2' is not served: it cannot be read: Too many levels"),
                                     HasSubstr("a/3' is not served: it is a link to nothing"),
                                     HasSubstr("b' is not served: it cannot be read: Too many levels")));
}

TEST(FolderSources, AFolderMayBeALink) {
  const TempFolder folder;
  folder.Write("data/net/1/model.onnx");
  fs::create_directory_symlink("data/net", folder / "net");
  const auto sources = FolderSources(folder.path());
  ASSERT_TRUE(sources.ok()) << sources.status();
  ASSERT_EQ(sources->sources.size(), 1u);
  EXPECT_EQ(sources->sources.front().name, "net");
}

TEST(FolderSources, LinksLeadAnywhereBelowTheFolder) {
  const TempFolder folder;
  folder.Write("all/blobs/b", "network");
  folder.Write("all/store/v2/model.onnx", "second");
  folder.Write("outside/model.onnx", "outside");
  fs::create_directories(folder / "all/a/1");
  fs::create_symlink("../../blobs/b", folder / "all/a/1/model.onnx");
  fs::create_directories(folder / "all/b");
  fs::create_directory_symlink("../store/v2", folder / "all/b/2");
  fs::create_directories(folder / "all/c/1");
  fs::create_symlink("../../../outside/model.onnx", folder / "all/c/1/model.onnx");
  fs::create_directories(folder / "all/d");
  fs::create_directory_symlink(folder / "outside", folder / "all/d/1");
  fs::create_directories(folder / "all/e/1");
  fs::create_symlink("none", folder / "all/e/1/model.onnx");
  fs::create_directory_symlink("all", folder / "link");
  const std::string out = "'model.onnx': expected a file below";
  struct Case {
    std::string path, root;
    std::vector<std::string> read;  // of a to e
  };
  for (const Case& c :
       {Case{"all", "", {"network", "second", out, out, "'model.onnx': expected a file, got a link to nothing"}},
        Case{"link/", "", {"network", "second", out, out, "'model.onnx': expected a file, got a link to nothing"}},
        Case{"all", ".", {"network", "second", "outside", "outside", "'model.onnx': expected a file, got a link"}}}) {
    SCOPED_TRACE(c.path + " " + c.root);
    const auto contents = FolderSources(folder / c.path, c.root.empty() ? "" : folder.path());
    ASSERT_TRUE(contents.ok()) << contents.status();
    std::vector<std::string> read;
    for (const ModelSource& source : contents->sources) {
      const auto onnx = source.read("model.onnx", 1000);
      read.push_back(onnx.ok() ? *onnx : std::string(onnx.status().message()));
    }
    ASSERT_EQ(read.size(), c.read.size());
    for (size_t i = 0; i < read.size(); ++i) EXPECT_THAT(read[i], ::testing::StartsWith(c.read[i]));
  }
  EXPECT_THAT(std::string(FolderSources(folder / "outside", folder / "all").status().message()),
              ::testing::StartsWith("--model-root: expected a folder with"));
}

// A release that is switched while models load: all files of a model are of the version that was found.
TEST(FolderSources, AVersionIsFollowedOnce) {
  const TempFolder folder;
  folder.Write("store/a/model.onnx", "network of a");
  folder.Write("store/b/model.onnx", "network of b");
  fs::create_directories(folder / "net");
  fs::create_directory_symlink("../store/a", folder / "net/1");
  const auto contents = FolderSources(folder.path());
  ASSERT_TRUE(contents.ok()) << contents.status();
  fs::remove(folder / "net/1");
  fs::create_directory_symlink("../store/b", folder / "net/1");
  EXPECT_EQ(OnnxOf(contents->sources.front()), "network of a");
}

TEST(FindSource, ReadsWhatLiesBelowThePathThatWasNamed) {
  const TempFolder folder;
  folder.Write("all/net/blobs/b", "network");
  fs::create_directories(folder / "all/net/1");
  fs::create_symlink("../blobs/b", folder / "all/net/1/model.onnx");
  EXPECT_EQ(OnnxOf(FindSource(folder / "all/net").value()), "network");
  EXPECT_EQ(OnnxOf(FindSource(folder / "all/net/").value()), "network");
  EXPECT_EQ(OnnxOf(FindSource(folder / "all/net/1").value()), "(not read)");
  EXPECT_EQ(OnnxOf(FindSource(folder / "all/net/1", folder / "all").value()), "network");
  EXPECT_EQ(OnnxOf(FindSource(folder / "all/net/1/model.onnx", folder / "all").value()), "network");
}

TEST(FolderSources, SaysThatThereIsNone) {
  const TempFolder folder;
  folder.Write("file");
  fs::create_directories(folder / "empty");
  folder.Write("other/net/model.onnx");  // no version
  folder.Write("deep/a/net/1/model.onnx");
  struct Case {
    std::string path, message;
  };
  for (const Case& c :
       {Case{folder / "missing", "--models: expected a folder, got '"},
        Case{folder / "file", "--models: expected a folder, got '"}, Case{"", "--models: expected a folder, got ''"},
        Case{folder / "empty", "--models: expected <name>/<version>/model.onnx or model.onnx in '"},
        Case{folder / "other", "--models: expected <name>/<version>/model.onnx or model.onnx in '"},
        Case{folder / "other", "net' is not served: expected <version>/model.onnx, found model.onnx"},
        Case{folder / "deep", "--models: expected <name>/<version>/model.onnx or model.onnx in '"}}) {
    const absl::Status status = FolderSources(c.path).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
    EXPECT_THAT(status.message(), HasSubstr(absl::StrCat(c.message, c.message.back() == '\'' ? c.path : "")));
  }
}

TEST(FolderSources, RefusesTwoModelsOfOneName) {
  const TempFolder folder;
  folder.Write("a/1/model.onnx");
  folder.Write("my net/1/model.onnx");
  folder.Write("my5/1/model.onnx");  // between the two, by the folders' names
  folder.Write("my_net/2/model.onnx");
  const absl::Status status = FolderSources(folder.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  for (const std::string& part :
       {std::string("'my_net'"), folder / "my net/1/model.onnx", folder / "my_net/2/model.onnx"}) {
    EXPECT_THAT(status.message(), HasSubstr(part));
  }
}

TEST(FolderSources, UpToTheCap) {
  const TempFolder folder;
  for (int i = 0; i < kMaxModels; ++i) folder.Write(absl::StrCat("net", i, "/1/model.onnx"));
  const auto at_cap = FolderSources(folder.path());
  ASSERT_TRUE(at_cap.ok()) << at_cap.status();
  EXPECT_EQ(at_cap->sources.size(), static_cast<size_t>(kMaxModels));
  folder.Write("one-more/1/model.onnx");
  const absl::Status status = FolderSources(folder.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("expected at most ", kMaxModels, " models")));
  EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("found ", kMaxModels + 1)));
}

TEST(FindSource, FilesFoldersAndVersions) {
  const TempFolder folder;
  folder.Write("net/1/model.onnx");
  folder.Write("net/12/model.onnx");
  folder.Write("net/9/model.onnx");
  folder.Write("net/13/other.onnx");
  folder.Write("plain/model.onnx");
  folder.Write("plain/2/model.onnx");
  folder.Write("nothing/file");
  struct Case {
    const char* path;
    const char* found;  // below the folder; empty: nothing
    const char* name;
    const char* version;
  };
  for (const Case& c :
       {Case{"net", "net/12/model.onnx", "net", "12"}, Case{"net/", "net/12/model.onnx", "net", "12"},
        Case{"net/9", "net/9/model.onnx", "net", "9"}, Case{"net/1/model.onnx", "net/1/model.onnx", "net", "1"},
        Case{"net/13/other.onnx", "net/13/other.onnx", "other", "1"}, Case{"plain", "plain/model.onnx", "plain", "1"},
        Case{"net/13", "", "", ""}, Case{"nothing", "", "", ""}, Case{"missing", "", "", ""},
        Case{"missing.onnx", "", "", ""}}) {
    const auto source = FindSource(folder / c.path);
    ASSERT_EQ(source.ok(), *c.found != '\0') << c.path << ": " << source.status();
    if (!source.ok()) {
      EXPECT_EQ(source.status().code(), absl::StatusCode::kNotFound) << c.path;
      EXPECT_THAT(source.status().message(), HasSubstr(folder / c.path));
      continue;
    }
    EXPECT_EQ(fs::path(source->origin).lexically_relative(folder.path()), c.found) << c.path;
    EXPECT_EQ(source->name, c.name) << c.path;
    EXPECT_EQ(source->version, c.version) << c.path;
  }
}

TEST(EmbeddedSource, HoldsAModelAndWhatBelongsToIt) {
  const ModelSource source = EmbeddedSource();
  EXPECT_TRUE(source.folder.is_nowhere()) << "its weights lie inside";
  EXPECT_EQ(source.name, "fashion-resnet20");
  EXPECT_EQ(source.version, "1");
  EXPECT_EQ(source.onnx_file, "model.onnx");
  EXPECT_EQ(source.origin, "embedded");
  for (const char* file : {"model.onnx", "labels.txt", "config.textproto", "golden.textproto"}) {
    const auto content = source.read(file, 1 << 24);
    ASSERT_TRUE(content.ok()) << content.status();
    EXPECT_FALSE(content->empty()) << file;
  }
  const std::string labels = source.read("labels.txt", 1 << 24).value_or("");
  EXPECT_EQ(std::count(labels.begin(), labels.end(), '\n'), 10);
  EXPECT_EQ(source.read("model.onn", 1000).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(source.read("", 1000).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace resnetd
