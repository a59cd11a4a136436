// The engine as its users see it: options, errors, arenas, sessions, answers that depend on nothing but the image. The
// networks are the golden ones (tests/golden/make/golden_models.py).
#include "engine/engine.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/onnx_file.h"
#include "tests/support/sanitized.h"
#include "tests/support/session_runner.h"

namespace resnetd {
namespace {

using ::testing::HasSubstr;

// Bytes of a golden network, e.g. "cifar20-a-grey".
std::string ReadModel(const std::string& name) {
  std::ifstream file(absl::StrCat(GOLDEN_MODELS "/", name, ".onnx"), std::ios::binary);
  EXPECT_TRUE(file) << name << " is not there; the test golden_models makes it";
  return {std::istreambuf_iterator<char>(file), {}};
}

absl::StatusOr<std::shared_ptr<const Engine>> Load(const std::string& file, const EngineOptions& options = {}) {
  return Engine::Load({file, "tested"}, options);
}

std::vector<float> RandomImage(const ModelInfo& info, uint32_t seed) {
  std::mt19937 rng(seed);
  std::vector<float> image(static_cast<size_t>(info.channels) * info.height * info.width);
  for (float& x : image) x = static_cast<float>(rng() >> 8) * 0x1p-22f - 2;
  return image;
}

std::vector<float> Copy(absl::Span<const float> values) {
  return {values.begin(), values.end()};
}

void ExpectSameAnswers(const absl::StatusOr<std::shared_ptr<const Engine>>& engine,
                       const absl::StatusOr<std::shared_ptr<const Engine>>& expected) {
  ASSERT_TRUE(engine.ok()) << engine.status();
  ASSERT_TRUE(expected.ok()) << expected.status();
  const SessionRunner runner(*engine), right(*expected);
  for (const SessionRunner* r : {&runner, &right}) {
    r->Write(0, RandomImage((*engine)->info(), 1));
    ASSERT_TRUE((*r)->Run({.count = 1}).ok());
  }
  const OutputId logits = (*engine)->info().logits;
  EXPECT_EQ(Copy(runner->output(logits, 0)), Copy(right->output(logits, 0)));
}

TEST(EngineOptions, BothSidesOfEachLimit) {
  struct Case {
    EngineOptions options;
    const char* message;  // empty: fine
  };
  const std::string model = ReadModel("cifar20-a-grey");
  std::vector<int> many;
  for (int i = 1; i <= 40; ++i) many.push_back(i);
  const std::vector<Case> cases = {
      {{{1}, 1}, ""},
      {{{1, 2, 4, 8}, 2}, ""},
      {{{3}, 1}, ""},
      {{{256}, 1}, ""},
      {{many, 1}, ""},
      {{{1}, 256}, ""},
      {{{}, 1}, "batch_sizes must name at least one size"},
      {{{0}, 1}, "each of batch_sizes must be 1 to 256, not 0"},
      {{{1, 257}, 1}, "each of batch_sizes must be 1 to 256, not 257"},
      {{{-1}, 1}, "each of batch_sizes must be 1 to 256, not -1"},
      {{{1, 4, 4}, 1}, "batch_sizes must ascend: 4 follows 4"},
      {{{8, 4}, 1}, "batch_sizes must ascend: 4 follows 8"},
      {{{1}, 0}, "threads must be 1 to 256, not 0"},
      {{{1}, -3}, "threads must be 1 to 256, not -3"},
      {{{1}, 257}, "threads must be 1 to 256, not 257"},
  };
  for (const Case& c : cases) {
    const auto engine = Load(model, c.options);
    EXPECT_EQ(engine.ok(), *c.message == '\0') << c.message << engine.status();
    if (engine.ok()) {
      EXPECT_EQ((*engine)->info().batch_sizes, c.options.batch_sizes);
      EXPECT_EQ((*engine)->info().threads, c.options.threads);
    } else {
      EXPECT_EQ(engine.status(), absl::InvalidArgumentError(c.message));
    }
  }
}

TEST(Engine, Info) {
  const auto engine = Load(ReadModel("cifar20-a-grey"));
  ASSERT_TRUE(engine.ok()) << engine.status();
  const ModelInfo& info = (*engine)->info();
  EXPECT_EQ(info.name, "tested");
  EXPECT_EQ(std::vector<int>({info.channels, info.height, info.width}), std::vector<int>({1, 28, 28}));
  EXPECT_EQ(info.classes, 10);
  EXPECT_EQ(info.features, 64);
  // By hand: 9*16 + 6*9*16*16 + 9*16*32 + 5*9*32*32 + 9*32*64 + 5*9*64*64 weights, 16*7 + 32*6 + 64*6 biases, 64*10
  // + 10.
  EXPECT_EQ(info.parameters, 144 + 13824 + 4608 + 46080 + 18432 + 184320 + 112 + 192 + 384 + 650);
  EXPECT_EQ(info.multiply_adds, (144 + 13824) * 28 * 28 + (4608 + 46080) * 14 * 14 + (18432 + 184320) * 7 * 7 + 640);
  EXPECT_EQ(info.precision, "f32");
  EXPECT_THAT(info.isa, HasSubstr("avx"));
  EXPECT_EQ(info.plan_fingerprint.size(), 16u);
  EXPECT_EQ((*engine)->arena_bytes() % kArenaAlignment, 0u);
  EXPECT_GT(info.arena_lower_bound, 8u * 16 * 28 * 28 * sizeof(float));  // the first layer's result alone
  EXPECT_LE(info.arena_lower_bound, (*engine)->arena_bytes());
}

// A network of layers alone, as exporters write it that fold batch norms themselves.
std::string WithoutBatchNorm() {
  onnx::OnnxFile f;
  std::vector<float> values(16 * 16 * 9);
  const auto weights = [&](const std::string& name, std::vector<int64_t> dims) {
    size_t size = 1;
    for (const int64_t d : dims) size *= static_cast<size_t>(d);
    for (size_t i = 0; i < size; ++i) values[i] = static_cast<float>(i * 7919 % 1000) * 1e-3f - 0.5f;
    f.Floats(name, std::move(dims)).set_raw_data(values.data(), size * sizeof(float));
  };
  weights("w1", {16, 3, 3, 3}), weights("b1", {16}), weights("w2", {16, 16, 3, 3}), weights("w3", {16, 10});
  f.Node("Conv", {"x", "w1", "b1"}, "c1"), f.Node("Relu", {"c1"}, "r1");
  f.Node("Conv", {"r1", "w2"}, "c2"), f.Node("GlobalAveragePool", {"c2"}, "p"), f.Node("Flatten", {"p"}, "v");
  f.Node("Gemm", {"v", "w3"}, "y");
  return f.Bytes();
}

// Resident bytes of this process.
int64_t Resident() {
  int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

TEST(Engine, KeepsThePackedWeightsOnly) {
  if (kSanitized) GTEST_SKIP() << "sanitizers hold on to freed memory";
  std::string file = ReadModel("resnet50");
  const int64_t before = Resident() - static_cast<int64_t>(file.size());
  const auto engine = Load(file, {{1, 8}, 1});
  std::string().swap(file);
  ASSERT_TRUE(engine.ok()) << engine.status();
  malloc_trim(0);  // what is freed is the allocator's; a server trims when all its models are loaded
  // The rest is compiled code, plans, and the libraries' own.
  const int64_t kRest = 40 << 20, packed = static_cast<int64_t>((*engine)->info().packed_weight_bytes);
  EXPECT_GT(packed, 100'000'000);
  EXPECT_LT(Resident() - before, packed + kRest);
}

// The bytes of a file that counts how often it was freed, and leaves NaN where it was.
Bytes Watched(std::string& file, int& freed) {
  const std::shared_ptr<const void> owner(&file, [&](const void*) {
    ++freed;
    std::fill(file.begin(), file.end(), '\xff');
  });
  return {owner, file};
}

TEST(ReadNetwork, LetsGoOfAFileThatIsNotNeeded) {
  const std::string good = ReadModel("cifar20-a-grey");  // with batch norms, so that most weights are computed
  struct Case {
    std::string file;
    std::vector<std::string> outputs;
    bool ok;
  };
  for (const Case& c : {Case{good, {}, true}, {good, {"no such tensor"}, false}, {good.substr(1), {}, false}}) {
    std::string file = c.file;
    int freed = 0;
    auto network = ReadNetwork({Watched(file, freed), "tested"}, {.outputs = c.outputs});
    EXPECT_EQ(network.ok(), c.ok) << network.status();
    EXPECT_EQ(freed, 1);
    if (!c.ok) continue;
    ExpectSameAnswers(Engine::Compile(*std::move(network), {.batch_sizes = {1}}), Load(good, {.batch_sizes = {1}}));
  }
}

TEST(ReadNetwork, KeepsAFileThatIsItsWeightsWhereTheyAreAligned) {
  int kept = 0;
  for (size_t shift = 0; shift < sizeof(float); ++shift) {
    std::string file(shift, ' ');
    file += WithoutBatchNorm();
    int freed = 0;
    Bytes bytes = Watched(file, freed).Part(absl::string_view(file).substr(shift));
    const auto expected = Load(std::string(bytes.view()), {.batch_sizes = {1}});
    auto network = ReadNetwork({std::move(bytes), "tested"});
    ASSERT_TRUE(network.ok()) << network.status();
    kept += freed == 0 ? 1 : 0;
    const auto engine = Engine::Compile(*std::move(network), {.batch_sizes = {1}});
    EXPECT_EQ(freed, 1);
    ExpectSameAnswers(engine, expected);
  }
  EXPECT_EQ(kept, 1) << "of four places one is aligned";
}

TEST(Engine, RefusesWhatIsNoModel) {
  std::mt19937 rng(3);
  std::string noise(100'000, '\0');
  for (char& c : noise) c = static_cast<char>(rng());
  const std::string model = ReadModel("cifar20-b");
  for (const std::string& file : {std::string(), noise, std::string("hello, world"), model.substr(0, model.size() / 2),
                                  model.substr(0, model.size() - 1)}) {
    const auto engine = Load(file);
    EXPECT_EQ(engine.status().code(), absl::StatusCode::kInvalidArgument) << file.size();
    EXPECT_THAT(std::string(engine.status().message()), HasSubstr("model 'tested'")) << file.size();
  }
}

// The library decides at its first use what the machine can do, so each case has a process of its own.
TEST(EngineDeathTest, RefusesAMachineBelowAvx2) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::string model = ReadModel("cifar20-a-grey");
  const auto load = [&] {
    std::cerr << Load(model).status() << "!";
    std::exit(0);
  };
  for (const auto& [isa, expected] :
       {std::pair("SSE41", "FAILED_PRECONDITION: this machine's instruction set is sse41; at least avx2 is needed!"),
        {"AVX", "FAILED_PRECONDITION: this machine's instruction set is avx; at least avx2 is needed!"},
        {"AVX2", "OK!"}}) {
    setenv("ONEDNN_MAX_CPU_ISA", isa, 1);
    EXPECT_EXIT(load(), testing::ExitedWithCode(0), expected) << isa;
  }
  unsetenv("ONEDNN_MAX_CPU_ISA");
}

// OpenMP reads its environment when the process starts.
TEST(EngineDeathTest, RefusesFewerThreadsThanItIsToUse) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::string model = ReadModel("cifar20-a-grey");
  const auto load = [&] {
    std::cerr << Load(model, {.threads = 2}).status() << "!";
    std::exit(0);
  };
  struct Case {
    const char *variable, *value, *expected;
  };
  const char* const kFewer = "FAILED_PRECONDITION: .*threads: expected 2, but OpenMP gives 1 ";
  for (const Case& c : {Case{"OMP_THREAD_LIMIT", "1", kFewer},
                        {"OMP_THREAD_LIMIT", "2", "OK!"},
                        {"OMP_MAX_ACTIVE_LEVELS", "0", kFewer},
                        {"OMP_MAX_ACTIVE_LEVELS", "1", "OK!"},
                        {"OMP_DYNAMIC", "true", "OK!"}}) {
    setenv(c.variable, c.value, 1);
    EXPECT_EXIT(load(), testing::ExitedWithCode(0), c.expected) << c.variable << "=" << c.value;
    unsetenv(c.variable);
  }
}

TEST(Engine, RefusesAWrongArena) {
  const auto engine = Load(ReadModel("cifar20-a-grey"));
  ASSERT_TRUE(engine.ok()) << engine.status();
  const size_t bytes = (*engine)->arena_bytes();
  std::vector<std::byte> space(bytes + 2 * kArenaAlignment);
  std::byte* aligned = space.data() + (kArenaAlignment - reinterpret_cast<uintptr_t>(space.data()) % kArenaAlignment);
  struct Case {
    absl::Span<std::byte> arena;
    std::string message;  // empty: fine
  };
  const std::vector<Case> cases = {
      {{aligned, bytes}, ""},
      {{aligned, bytes + 1}, ""},
      {{aligned, bytes - 1}, absl::StrCat("model 'tested' needs an arena of ", bytes, " bytes, not ", bytes - 1)},
      {{}, absl::StrCat("needs an arena of ", bytes, " bytes, not 0")},
      {{aligned + 4, bytes}, "an arena must be aligned to 64 bytes: this one's address modulo it is 4"},
      {{aligned + 32, bytes}, "address modulo it is 32"},
  };
  for (const Case& c : cases) {
    const auto session = (*engine)->NewSession(c.arena);
    EXPECT_EQ(session.ok(), c.message.empty()) << c.message;
    if (session.ok()) continue;
    EXPECT_EQ(session.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(session.status().message()), HasSubstr(c.message));
  }
}

TEST(Session, StaysWithinItsArena) {
  const auto engine = Load(ReadModel("cifar20-b"), {{1, 3}, 1});
  ASSERT_TRUE(engine.ok()) << engine.status();
  const size_t bytes = (*engine)->arena_bytes();
  constexpr size_t kGuard = 1 << 16;
  std::vector<std::byte> space(bytes + 2 * kGuard + kArenaAlignment, std::byte{0x5a});
  const size_t start = kGuard + kArenaAlignment - reinterpret_cast<uintptr_t>(space.data()) % kArenaAlignment;
  auto session = (*engine)->NewSession({space.data() + start, bytes});
  ASSERT_TRUE(session.ok());
  for (const int count : {1, 2, 3}) ASSERT_TRUE((*session)->Run({.count = count}).ok());
  for (size_t i = 0; i < space.size(); ++i) {
    if (i >= start && i < start + bytes) continue;
    ASSERT_EQ(space[i], std::byte{0x5a}) << "byte " << static_cast<int64_t>(i - start) << " of " << bytes;
  }
}

TEST(Session, CountsWithinThePlans) {
  const auto engine = Load(ReadModel("cifar20-a-grey"), {{2, 5}, 1});
  ASSERT_TRUE(engine.ok()) << engine.status();
  const SessionRunner runner(*engine);
  EXPECT_TRUE(runner->output(runner.engine().info().logits, 0).empty()) << "nothing ran yet";
  for (int i = 0; i < 5; ++i) runner.Write(i, RandomImage(runner.engine().info(), i));
  for (const auto& [count, plan] : {std::pair(1, 2), {2, 2}, {3, 5}, {4, 5}, {5, 5}, {0, 0}, {-1, 0}, {6, 0}}) {
    const auto timings = runner->Run({.count = count});
    ASSERT_EQ(timings.ok(), plan > 0) << count;
    if (timings.ok()) {
      EXPECT_EQ(timings->plan_batch, plan) << count;
      EXPECT_GT(timings->compute.count(), 0) << count;
    } else {
      EXPECT_EQ(timings.status(), absl::InvalidArgumentError(absl::StrCat("a run takes 1 to 5 images, not ", count)));
    }
  }
}

// A profile has a time for each step that ran, and for no other; the answers do not change.
TEST(Session, ProfilesItsSteps) {
  const auto engine = Load(ReadModel("cifar20-b"), {{1, 4}, 1});
  ASSERT_TRUE(engine.ok()) << engine.status();
  const SessionRunner runner(*engine);
  const ModelInfo& info = runner.engine().info();
  OutputSet embedding;
  embedding.set(static_cast<size_t>(info.embedding));
  for (const int batch : {1, 4}) {
    const std::vector<StepInfo> steps = (*engine)->Describe(batch);
    int64_t multiply_adds = 0;
    for (const StepInfo& step : steps) {
      multiply_adds += step.multiply_adds;
      EXPECT_EQ(step.multiply_adds > 0, step.op == "Conv" || step.op == "Gemm") << step.op << " '" << step.node << "'";
    }
    EXPECT_EQ(multiply_adds, batch * info.multiply_adds);
    // Nine units, whose plus is the last convolution's. Each residual dies there.
    EXPECT_EQ(std::count_if(steps.begin(), steps.end(), [](const StepInfo& s) { return s.in_place_sum; }), 9);

    for (int i = 0; i < batch; ++i) runner.Write(i, RandomImage(info, i));
    ASSERT_TRUE(runner->Run({.count = batch}).ok());
    const std::vector<float> answer = Copy(runner->output(info.logits, batch - 1));
    for (int i = 0; i < batch; ++i) runner.Write(i, RandomImage(info, i));
    LayerProfile profile(3, Duration(-1));
    const auto timings = runner->Run({.count = batch, .profile = &profile});
    ASSERT_TRUE(timings.ok()) << timings.status();
    EXPECT_EQ(Copy(runner->output(info.logits, batch - 1)), answer);
    ASSERT_EQ(profile.size(), steps.size());
    EXPECT_TRUE(std::all_of(profile.begin(), profile.end(), [](Duration d) { return d.count() > 0; }));
    EXPECT_LE(std::accumulate(profile.begin(), profile.end(), Duration()), timings->compute);

    ASSERT_TRUE(runner->Run({.count = batch, .wanted = embedding, .profile = &profile}).ok());
    for (size_t i = 0; i < steps.size(); ++i) {
      const bool of_others = steps[i].op == "Gemm" || absl::StartsWith(steps[i].node, "stage");
      EXPECT_EQ(profile[i].count() == 0, of_others) << steps[i].op << " '" << steps[i].node << "'";
    }
  }
}

// An image's answer beside 31 others, in any slot, in a full or a half-empty batch, is its answer alone.
TEST(Session, BatchMatesDoNotMatter) {
  for (const char* name : {"cifar20-a-grey", "cifar56-a", "resnet18-97px"}) {
    const auto engine = Load(ReadModel(name), {{1, 8, 32}, 1});
    ASSERT_TRUE(engine.ok()) << engine.status();
    const SessionRunner runner(*engine);
    const ModelInfo& info = runner.engine().info();
    std::vector<float> alone[2][32];
    for (int i = 0; i < 32; ++i) {
      runner.Write(0, RandomImage(info, i));
      ASSERT_TRUE(runner->Run({.count = 1}).ok());
      for (const OutputId id : {info.logits, info.embedding})
        alone[static_cast<int>(id)][i] = Copy(runner->output(id, 0));
    }
    for (const int count : {3, 8, 27, 32}) {
      for (int i = 0; i < count; ++i) runner.Write(i, RandomImage(info, 31 - i));
      ASSERT_TRUE(runner->Run({.count = count}).ok());
      for (int i = 0; i < count; ++i) {
        for (const OutputId id : {info.logits, info.embedding}) {
          const std::vector<float>& expected = alone[static_cast<int>(id)][31 - i];
          const absl::Span<const float> got = runner->output(id, i);
          ASSERT_EQ(got.size(), expected.size());
          float most = 0, difference = 0;
          for (size_t k = 0; k < got.size(); ++k) {
            most = std::max(most, std::abs(expected[k]));
            difference = std::max(difference, std::abs(got[k] - expected[k]));
          }
          EXPECT_GT(most, 0.1f);
          EXPECT_LE(difference, 1e-5f * most) << name << ": slot " << i << " of " << count;
        }
      }
    }
  }
}

TEST(Session, EqualRunsGiveEqualBits) {
  const std::string model = ReadModel("cifar20-b");
  std::vector<float> first;
  std::string fingerprint;
  for (int load = 0; load < 2; ++load) {
    const auto engine = Load(model, {{4}, 2});
    ASSERT_TRUE(engine.ok()) << engine.status();
    const ModelInfo& info = (*engine)->info();
    if (load == 0) fingerprint = info.plan_fingerprint;
    EXPECT_EQ(info.plan_fingerprint, fingerprint);
    for (int s = 0; s < 2; ++s) {
      const SessionRunner runner(*engine);
      for (int run = 0; run < 5; ++run) {
        for (int i = 0; i < 4; ++i) runner.Write(i, RandomImage(info, i));
        ASSERT_TRUE(runner->Run({.count = 4}).ok());
        std::vector<float> answers;
        for (int i = 0; i < 4; ++i) {
          for (const float x : runner->output(runner.engine().info().logits, i)) answers.push_back(x);
        }
        if (first.empty()) first = answers;
        ASSERT_EQ(0, std::memcmp(first.data(), answers.data(), first.size() * sizeof(float)));
      }
    }
  }
}

// Traces of an earlier run, or of another model in the same arena, must not show.
TEST(Session, SharesItsArenaWithOtherModels) {
  const auto a = Load(ReadModel("cifar20-a-grey"), {{1, 4}, 1}), b = Load(ReadModel("cifar20-b"), {{1, 4}, 1});
  ASSERT_TRUE(a.ok() && b.ok());
  const SessionRunner large((*a)->arena_bytes() > (*b)->arena_bytes() ? *a : *b);
  auto session_a = (*a)->NewSession(large.arena()), session_b = (*b)->NewSession(large.arena());
  ASSERT_TRUE(session_a.ok() && session_b.ok());
  const SessionRunner own(*a);
  const std::vector<float> image = RandomImage((*a)->info(), 1);
  own.Write(0, image);
  ASSERT_TRUE(own->Run({.count = 1}).ok());
  for (int round = 0; round < 3; ++round) {
    std::fill(large.arena().begin(), large.arena().end(), std::byte{0xff});
    ASSERT_TRUE((*session_b)->Run({.count = 4}).ok());
    const SlotView slot = (*session_a)->slot(0);  // planes, without gaps
    ASSERT_EQ(slot.channel_bytes, slot.height * slot.row_bytes);
    std::memcpy(slot.data, image.data(), image.size() * sizeof(float));
    ASSERT_TRUE((*session_a)->Run({.count = 1}).ok());
    EXPECT_EQ(Copy((*session_a)->output((*a)->info().logits, 0)), Copy(own->output((*a)->info().logits, 0)));
  }
}

// Sessions of one engine in many threads: shared weights, arenas of their own. The engine dies with its last session.
TEST(Session, ManyThreads) {
  auto engine = Load(ReadModel("cifar20-a-grey"), {{1, 4}, 1});
  ASSERT_TRUE(engine.ok()) << engine.status();
  const ModelInfo info = (*engine)->info();
  std::vector<std::vector<float>> expected;
  {
    const SessionRunner runner(*engine);
    for (int i = 0; i < 16; ++i) {
      runner.Write(0, RandomImage(info, i));
      ASSERT_TRUE(runner->Run({.count = 1}).ok());
      expected.push_back(Copy(runner->output(runner.engine().info().logits, 0)));
    }
  }
  std::vector<std::unique_ptr<SessionRunner>> runners;
  for (int t = 0; t < 4; ++t) runners.push_back(std::make_unique<SessionRunner>(*engine));
  engine = absl::CancelledError();
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const int image = (i * 7 + t) % 16;
        runners[t]->Write(0, RandomImage(info, image));
        const bool ok = (*runners[t])->Run({.count = 1}).ok();
        if (!ok || Copy((*runners[t])->output(info.logits, 0)) != expected[image]) ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace resnetd
