// Photographs, from the file to the network's input. They are not in the repository: they
// lie in photos/ of the folder that RESNETD_TEST_DATA names.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/image/image.h"
#include "gtest/gtest.h"
#include "tests/support/image_golden.h"

namespace resnetd::image {
namespace {

// The folder, or null.
const char* Folder() {
  return std::getenv("RESNETD_TEST_DATA");
}

constexpr char kNoFolder[] =
    "NO PHOTOGRAPHS: RESNETD_TEST_DATA names no folder. Generated pixels stand in for them: image_preprocessor_test "
    "and "
    "image_bilinear_test.";

std::string ReadPhoto(const std::string& name, const std::string& file_crc) {
  const std::string path = absl::StrCat(Folder(), "/photos/", name);
  std::ifstream in(path, std::ios::binary);
  std::string file((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ(Crc(AsBytes(file)), file_crc) << path << " is not the photograph that the recorded inputs are of";
  return file;
}

std::string InputCrc(Preprocessor& preprocessor, const std::string& file, const Recipe& recipe) {
  const ptrdiff_t row = recipe.width, plane = row * recipe.height;
  std::vector<float> tensor(plane * recipe.channels());  // NCHW
  const absl::Status status = preprocessor.FromFile(
      AsBytes(file), recipe, {tensor.data(), recipe.height, recipe.width, recipe.channels(), row, 1, plane});
  EXPECT_TRUE(status.ok()) << status;
  return Crc(AsBytes(tensor));
}

TEST(PhotosTest, InputIsWhatPillowAndTorchvisionMake) {
  if (Folder() == nullptr) GTEST_SKIP() << kNoFolder;
  Preprocessor preprocessor;
  for (std::istringstream& line : ReadGoldenTable("photos.txt")) {
    std::string name, file_crc, preset, crc;
    line >> name >> file_crc;
    const std::string file = ReadPhoto(name, file_crc);
    while (line >> preset >> crc) {
      EXPECT_EQ(InputCrc(preprocessor, file, *FindPreset(preset)), crc) << name << ", " << preset;
    }
  }
}

// The three presets of Keras end each line; before them are levels that OpenCV and TensorFlow made.
TEST(PhotosTest, InputIsWhatOpenCvTensorFlowAndKerasMake) {
  if (Folder() == nullptr) GTEST_SKIP() << kNoFolder;
  Preprocessor preprocessor;
  int inputs = 0;
  for (std::istringstream& line : ReadGoldenTable("bilinear_photos.txt")) {
    std::string name, file_crc, way, crc;
    line >> name >> file_crc;
    const std::string file = ReadPhoto(name, file_crc);
    for (; line >> way; ++inputs) {
      const absl::StatusOr<Recipe> preset = FindPreset(way);
      Recipe recipe = *FindPreset("none");
      if (preset.ok()) {
        recipe = *preset;
      } else {
        line >> recipe.resize_size >> recipe.width;
        recipe.height = recipe.width;
        recipe.resize = recipe.resize_size == 0 ? Resize::kExact : Resize::kShorterSide;
        recipe.interpolation = InterpolationByName(way);
      }
      line >> crc;
      EXPECT_EQ(InputCrc(preprocessor, file, recipe), crc) << name << ", " << way << ", " << ToString(recipe);
    }
  }
  EXPECT_GE(inputs, 9 * 100);
}

}  // namespace
}  // namespace resnetd::image
