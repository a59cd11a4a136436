#include "server/model_repository.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace resnetd::server {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

ServedModel MakeModel(const std::string& name, const std::string& version) {
  auto model = std::make_shared<Model>();
  model->name = name;
  model->version = version;
  return {.model = model};
}

struct Known {
  std::string name, version;
  ModelState state;
};

struct FindCase {
  std::vector<Known> known;
  std::string name, version;
  absl::StatusCode code;
  std::string answer;  // the model found, or the message
};

constexpr ModelState kLoading = ModelState::kLoading, kReady = ModelState::kReady, kFailed = ModelState::kFailed;
using Code = absl::StatusCode;

const FindCase kFinds[] = {
    // Models are found by name and version.
    {{{"a", "1", kReady}}, "a", "", Code::kOk, "a 1"},
    {{{"a", "1", kReady}}, "a", "1", Code::kOk, "a 1"},
    {{{"a", "1", kReady}}, "a", "2", Code::kNotFound, "no version '2' of model 'a' here, expected '1'"},
    {{{"a", "1", kReady}}, "a", "01", Code::kNotFound, "no version '01' of model 'a' here, expected '1'"},
    {{{"a", "1", kReady}}, "A", "", Code::kNotFound, "no model 'A' here, expected one of: 'a'"},
    {{{"b", "1", kReady}, {"a", "2", kReady}}, "b", "", Code::kOk, "b 1"},
    {{{"b", "1", kReady}, {"a", "2", kReady}},
     "b",
     "2",
     Code::kNotFound,
     "no version '2' of model 'b' here, expected '1'"},
    {{{"b", "1", kReady}, {"a", "2", kReady}},
     "c",
     "",
     Code::kNotFound,
     "no model 'c' here, expected one of: 'a', 'b'"},
    {{}, "a", "", Code::kNotFound, "no model 'a' here, expected one of: (none)"},
    // The only one needs no name.
    {{{"a", "1", kReady}}, "", "", Code::kOk, "a 1"},
    {{{"a", "1", kReady}}, "", "1", Code::kOk, "a 1"},
    {{{"a", "1", kReady}}, "", "2", Code::kNotFound, "no version '2' of model 'a' here, expected '1'"},
    {{{"b", "1", kReady}, {"a", "2", kReady}}, "", "", Code::kInvalidArgument, "expected one of 'a', 'b', got none"},
    {{{"b", "1", kReady}, {"a", "2", kFailed}}, "", "", Code::kInvalidArgument, "expected one of 'a', 'b', got none"},
    {{}, "", "", Code::kNotFound, "no model '' here, expected one of: (none)"},
    // Known, and not ready.
    {{{"a", "1", kLoading}}, "a", "", Code::kUnavailable, "model 'a' version '1' is still loading"},
    {{{"a", "1", kLoading}}, "", "", Code::kUnavailable, "model 'a' version '1' is still loading"},
    {{{"a", "1", kLoading}}, "a", "2", Code::kNotFound, "no version '2' of model 'a' here, expected '1'"},
    {{{"a", "1", kFailed}}, "a", "1", Code::kUnavailable, "model 'a' version '1' could not be loaded: why"},
    {{{"a", "1", kFailed}, {"b", "1", kReady}}, "b", "", Code::kOk, "b 1"},
    // The last word on a name counts.
    {{{"a", "1", kLoading}, {"a", "1", kReady}}, "a", "", Code::kOk, "a 1"},
    {{{"a", "1", kLoading}, {"a", "1", kFailed}},
     "a",
     "",
     Code::kUnavailable,
     "model 'a' version '1' could not be loaded: why"},
    {{{"a", "1", kReady}, {"a", "2", kLoading}}, "a", "", Code::kUnavailable, "model 'a' version '2' is still loading"},
    {{{"a", "1", kReady}, {"a", "2", kReady}}, "a", "", Code::kOk, "a 2"},
    {{{"a", "1", kReady}, {"a", "2", kReady}},
     "a",
     "1",
     Code::kNotFound,
     "no version '1' of model 'a' here, expected '2'"},
};

void Tell(ModelRepository& repository, const Known& known) {
  switch (known.state) {
    case ModelState::kLoading:
      return repository.SetLoading(known.name, known.version);
    case ModelState::kReady:
      return repository.Add(MakeModel(known.name, known.version));
    case ModelState::kFailed:
      return repository.SetFailed(known.name, known.version, absl::InvalidArgumentError("why"));
  }
}

TEST(ModelRepository, Finds) {
  for (const FindCase& c : kFinds) {
    ModelRepository repository;
    std::string trace = "known:";
    for (const Known& k : c.known) {
      Tell(repository, k);
      absl::StrAppend(&trace, " ", k.name, "/", k.version, "=", static_cast<int>(k.state));
    }
    SCOPED_TRACE(absl::StrCat(trace, ", asked: '", c.name, "' '", c.version, "'"));
    const auto found = repository.Find(c.name, c.version);
    EXPECT_EQ(found.status().code(), c.code);
    EXPECT_EQ(found.ok() ? absl::StrCat(found->model->name, " ", found->model->version)
                         : std::string(found.status().message()),
              c.answer);
  }
}

TEST(ModelRepository, ListsByName) {
  ModelRepository repository;
  EXPECT_THAT(repository.List(), IsEmpty());
  repository.SetFailed("c", "3", absl::InvalidArgumentError("not a network"));
  repository.SetLoading("b", "2");
  repository.Add(MakeModel("a", "1"));
  const std::vector<ModelEntry> list = repository.List();
  ASSERT_THAT(list, SizeIs(3));
  const auto text = [](const ModelEntry& e) {
    return absl::StrCat(e.name, " ", e.version, " ", static_cast<int>(e.state), " ", e.error);
  };
  EXPECT_EQ(text(list[0]), absl::StrCat("a 1 ", static_cast<int>(kReady), " "));
  EXPECT_EQ(text(list[1]), absl::StrCat("b 2 ", static_cast<int>(kLoading), " "));
  EXPECT_EQ(text(list[2]), absl::StrCat("c 3 ", static_cast<int>(kFailed), " not a network"));
  repository.SetLoading("c", "3");
  EXPECT_EQ(text(repository.List()[2]), absl::StrCat("c 3 ", static_cast<int>(kLoading), " ")) << "the error is over";
}

TEST(ModelRepository, ACallKeepsTheModelItFound) {
  ModelRepository repository;
  repository.Add(MakeModel("a", "1"));
  const auto held = repository.Find("a", "");
  ASSERT_TRUE(held.ok());
  repository.Add(MakeModel("a", "2"));
  EXPECT_EQ(held->model->version, "1");
  EXPECT_EQ(held->model.use_count(), 1) << "the repository let go of it";
}

TEST(ModelRepository, EveryReaderSeesOneOfTheVersions) {
  constexpr int kReplacements = 2000;
  ModelRepository repository;
  repository.Add(MakeModel("a", "0"));
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&repository] {
      int last = 0;
      while (last < kReplacements) {
        const auto found = repository.Find("a", "");
        ASSERT_TRUE(found.ok()) << found.status();
        const int version = std::stoi(found->model->version);
        ASSERT_GE(version, last);
        last = version;
      }
    });
  }
  for (int v = 1; v <= kReplacements; ++v) repository.Add(MakeModel("a", absl::StrCat(v)));
  for (std::thread& t : readers) t.join();
}

}  // namespace
}  // namespace resnetd::server
