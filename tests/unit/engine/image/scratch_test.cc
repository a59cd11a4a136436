// Tests what a preprocessor keeps from one image to the next.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/image/decode/decode.h"
#include "engine/image/image.h"
#include "gtest/gtest.h"
#include "tests/support/allocations.h"
#include "tests/support/image_golden.h"

namespace resnetd::image {
namespace {

using std::string_literals::operator""s;

TEST(ScratchTest, LargerReplacesSmaller) {
  ScratchBuffer buffer;
  EXPECT_EQ(buffer.bytes(), 0u);
  uint8_t* const first = buffer.Take(1'000'000);
  EXPECT_EQ(buffer.Take(1'000'000), first);
  EXPECT_EQ(buffer.Take(1), first);
  EXPECT_EQ(buffer.bytes(), 1'000'000u);
  const size_t before = AllocatedBytes();
  buffer.Take(2'000'000)[1'999'999] = 1;
  EXPECT_EQ(buffer.bytes(), 2'000'000u);
  EXPECT_LT(AllocatedBytes(), before + 1'500'000) << "the smaller one is gone";
}

TEST(ScratchTest, IsKeptUpToALimitInAll) {
  for (ScratchBuffer Scratch::*largest : {&Scratch::decoded, &Scratch::row, &Scratch::stored, &Scratch::strip}) {
    for (const bool above : {false, true}) {
      Scratch scratch;
      for (ScratchBuffer* buffer : {&scratch.decoded, &scratch.row, &scratch.stored, &scratch.strip}) buffer->Take(1);
      (scratch.*largest).Take(Scratch::kMostKept - 3 + above);
      scratch.Trim();
      EXPECT_EQ((scratch.*largest).bytes(), above ? 0 : Scratch::kMostKept - 3);
      EXPECT_EQ(scratch.decoded.bytes() == 0, above);
      EXPECT_EQ(scratch.strip.bytes() == 0, above);
    }
  }
}

// One for each option of a recipe, and some of several together.
std::vector<Recipe> RecipesOfEveryOption() {
  const Recipe small = FitToInput(*FindPreset("torchvision-v1"), 24, 32);
  std::vector<Recipe> recipes(24, small);
  recipes[1] = *FindPreset("torchvision-v1");
  recipes[2].resize = Resize::kExact;
  recipes[3].resize_size = 10;  // black around it
  recipes[4].resize_size = 10;
  recipes[4].crop_offset = CropOffset::kDown;
  recipes[5].interpolation = Interpolation::kNearest;
  recipes[6].interpolation = Interpolation::kBicubic;
  recipes[7].colour = Colour::kBgr;
  recipes[8].colour = Colour::kGrey;
  recipes[9].mean = {0.5f, 0.25f, 0.125f, 0};
  recipes[10].std = {0.5f, 2, 4, 1};
  recipes[11].scale = 1;
  recipes[12].alpha = Alpha::kBlack;
  recipes[13].alpha = Alpha::kBlack;
  recipes[13].colour = Colour::kGrey;
  recipes[14].orientation = Orientation::kApply;
  recipes[15].orientation = Orientation::kApply;
  recipes[15].colour = Colour::kGrey;
  recipes[16].orientation = Orientation::kApply;
  recipes[16].alpha = Alpha::kBlack;
  recipes[17].dct_scaling = true;
  recipes[17].resize_size = 10;
  recipes[18] = recipes[17];
  recipes[18].orientation = Orientation::kApply;
  recipes[19] = recipes[17];
  recipes[19].interpolation = Interpolation::kBicubic;
  recipes[20].interpolation = Interpolation::kBilinearCv2;
  recipes[21].interpolation = Interpolation::kBilinearTf2;
  recipes[22].interpolation = Interpolation::kBilinearTf2;
  recipes[22].resize_size = 10;
  recipes[23].resize = Resize::kSquash;
  return recipes;
}

// Adds an APP1 segment that says how the camera was held.
std::string WithOrientation(std::string jpeg, int value) {
  std::string segment =
      "\xFF\xE1\0\x22"
      "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0"s;
  segment[29] = static_cast<char>(value);
  return jpeg.insert(2, segment);
}

struct Job {
  std::string what;
  Recipe recipe;
  std::string file;  // if empty: pixels
  PixelView pixels;

  // NCHW.
  absl::Status Run(Preprocessor& preprocessor, std::vector<float>& tensor) const {
    const ptrdiff_t plane = ptrdiff_t{1} * recipe.height * recipe.width;
    tensor.resize(plane * recipe.channels());
    const TensorView view{tensor.data(), recipe.height, recipe.width, recipe.channels(), recipe.width, 1, plane};
    return file.empty() ? preprocessor.FromPixels(pixels, recipe, view)
                        : preprocessor.FromFile(AsBytes(file), recipe, view);
  }
};

// Each kind of file and of pixels, with each recipe that takes it. `bytes`: 400x300x3 at least.
std::vector<Job> EveryJob(const std::vector<uint8_t>& bytes) {
  std::vector<Job> jobs;
  std::vector<std::pair<std::string, std::string>> files;
  for (std::istringstream& line : ReadGoldenTable("decode.txt")) {
    std::string name;
    line >> name;
    files.emplace_back(name, ReadGoldenFile(name));
  }
  for (const char* name : {"exif.jpg", "exif.png", "exif.webp"}) files.emplace_back(name, ReadGoldenFile(name));
  for (int value = 1; value <= 8; ++value) {
    files.emplace_back(absl::StrCat("orientation ", value), WithOrientation(ReadGoldenFile("420.jpg"), value));
  }
  for (const auto& [name, file] : files) {
    const Header header = *Sniff(AsBytes(file), Limits());
    jobs.push_back({name, FitToInput(*FindPreset("none"), header.height, header.width), file, {}});
    for (const Recipe& recipe : RecipesOfEveryOption()) jobs.push_back({name, recipe, file, {}});
  }
  for (const bool planar : {false, true}) {
    for (const auto& [height, width] :
         {std::pair(300, 400), std::pair(400, 300), std::pair(9, 11), std::pair(24, 32)}) {
      for (const Recipe& recipe : RecipesOfEveryOption()) {
        jobs.push_back({"pixels", recipe, "", {bytes.data(), height, width, recipe.channels(), planar}});
      }
    }
    for (const Colour colour : {Colour::kTwoChannels, Colour::kFourChannels}) {
      Recipe recipe = FitToInput(*FindPreset("none"), 24, 32);
      recipe.colour = colour;
      jobs.push_back({"pixels that are no colours", recipe, "", {bytes.data(), 24, 32, recipe.channels(), planar}});
    }
  }
  return jobs;
}

// One worker's images of all kinds, sizes and models: once the largest has been there, each finds its memory, and what
// others have left in it does not show. Only our own allocations are counted: libjpeg, libpng, zlib and libwebp are in
// C and have theirs from malloc.
TEST(PreprocessorMemoryTest, AWarmOneAllocatesNothing) {
  const std::vector<uint8_t> bytes = GoldenPixels("noise", 400, 300, 3);
  const std::vector<Job> jobs = EveryJob(bytes);
  Preprocessor preprocessor;
  std::vector<std::vector<float>> tensors(jobs.size());
  for (size_t i = 0; i < jobs.size(); ++i) {
    const absl::Status status = jobs[i].Run(preprocessor, tensors[i]);
    ASSERT_TRUE(status.ok()) << jobs[i].what << ", " << ToString(jobs[i].recipe) << ": " << status;
  }
  EXPECT_GT(Allocations(), 0u);
  for (size_t i = 0; i < jobs.size(); ++i) {
    const size_t before = Allocations();
    const absl::Status status = jobs[i].Run(preprocessor, tensors[i]);
    const size_t after = Allocations();
    EXPECT_TRUE(status.ok()) << jobs[i].what << ": " << status;
    EXPECT_EQ(after, before) << jobs[i].what << ", " << ToString(jobs[i].recipe);
    Preprocessor fresh;
    std::vector<float> alone;
    EXPECT_TRUE(jobs[i].Run(fresh, alone).ok());
    EXPECT_EQ(tensors[i], alone) << jobs[i].what << ", " << ToString(jobs[i].recipe);
  }
}

// A lossless file of 30 bytes, of one colour.
std::string WebpOfOneColour(int width, int height) {
  const uint64_t bits = uint64_t{1} << 28 | static_cast<uint64_t>(height - 1) << 14 | static_cast<uint64_t>(width - 1);
  std::string size;
  for (int i = 0; i < 4; ++i) size += static_cast<char>(bits >> (8 * i) & 255);
  return absl::StrCat("RIFF\x16\0\0\0WEBPVP8L\x09\0\0\0\x2F"s, size, "\x88\x88\x08\0\0"s);
}

// A preprocessor does not hold one very large image's memory for ever. A WebP that is composed on black takes 4 bytes a
// pixel.
TEST(PreprocessorMemoryTest, IsKeptUpToALimit) {
  constexpr int kWidth = 4096, kHeight = Scratch::kMostKept / (4 * kWidth);
  static_assert(size_t{4} * kWidth * kHeight == Scratch::kMostKept);
  Recipe recipe = *FindPreset("cifar10");
  recipe.alpha = Alpha::kBlack;
  std::vector<float> tensor(size_t{3} * recipe.height * recipe.width);
  for (const bool above : {false, true}) {
    const Job job = {"", recipe, WebpOfOneColour(kWidth, kHeight + above), {}};
    const size_t without = AllocatedBytes();
    Preprocessor preprocessor;
    ASSERT_TRUE(job.Run(preprocessor, tensor).ok());
    const size_t held = AllocatedBytes() - without;
    EXPECT_EQ(held >= Scratch::kMostKept, !above) << held;
    EXPECT_LT(held, (above ? 0 : Scratch::kMostKept) + (size_t{1} << 20));
    const size_t before = Allocations();
    ASSERT_TRUE(job.Run(preprocessor, tensor).ok());
    EXPECT_EQ(Allocations() - before, above ? 1u : 0u);
  }
}

}  // namespace
}  // namespace resnetd::image
