// Runs the fuzzer's seeds and its finds once more, in the ordinary build.
#include <random>
#include <string>

#include "engine/onnx/parse.h"
#include "gtest/gtest.h"
#include "tests/fuzz/found.h"
#include "tests/fuzz/hostile_folder.h"
#include "tests/fuzz/load_fuzzer.h"
#include "tests/fuzz/seeds.h"

namespace resnetd::fuzz {
namespace {

Outcome Load(const std::string& bytes) {
  return LoadAnything({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
}

TEST(Corpus, EverySeedIsCompiledAndRun) {
  for (const Seed& seed : Seeds()) EXPECT_EQ(Load(seed.bytes), Outcome::kRun) << seed.name;
}

// Places in a hostile folder by chance: each is a file below the root, or it is refused.
TEST(Corpus, NoPlaceLeadsOutOfTheRoot) {
  std::minstd_rand rng(1);
  const auto below = [&rng](int n) { return static_cast<int>(rng() % static_cast<uint32_t>(n)); };
  std::string seed;
  for (const Seed& one : Seeds()) {
    if (one.name == "external") seed = one.bytes;
  }
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(seed));
  onnx::TensorProto& tensor = *model.mutable_graph()->mutable_initializer(0);
  ASSERT_EQ(tensor.external_data(0).key(), "location");
  int run = 0;
  constexpr int kPlaces = 3000;
  for (int i = 0; i < kPlaces; ++i) {
    tensor.mutable_external_data(0)->set_value(SomeLocation(below));
    run += Load(model.SerializeAsString()) == Outcome::kRun;
  }
  EXPECT_GT(run, kPlaces / 50);
  EXPECT_LT(run, kPlaces / 2);
}

TEST(Corpus, NothingThatWasFoundHappensAgain) {
  CheckWhatWasFound([](const std::string& bytes) { Load(bytes); });
}

}  // namespace
}  // namespace resnetd::fuzz
