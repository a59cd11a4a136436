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

TEST(PhotosTest, InputIsWhatPillowAndTorchvisionMake) {
  const char* folder = std::getenv("RESNETD_TEST_DATA");
  if (folder == nullptr) {
    GTEST_SKIP() << "NO PHOTOGRAPHS: RESNETD_TEST_DATA names no folder. Generated pixels stand in for them: "
                    "image_preprocessor_test.";
  }
  Preprocessor preprocessor;
  for (std::istringstream& line : ReadGoldenTable("photos.txt")) {
    std::string name, file_crc, preset, crc;
    line >> name >> file_crc;
    const std::string path = absl::StrCat(folder, "/photos/", name);
    std::ifstream in(path, std::ios::binary);
    const std::string file((std::istreambuf_iterator<char>(in)), {});
    ASSERT_EQ(Crc(AsBytes(file)), file_crc) << path << " is not the photograph that the recorded inputs are of";
    while (line >> preset >> crc) {
      const Recipe recipe = *FindPreset(preset);
      const ptrdiff_t row = recipe.width, plane = row * recipe.height;
      std::vector<float> tensor(plane * recipe.channels());  // NCHW
      const absl::Status status = preprocessor.FromFile(
          AsBytes(file), recipe, {tensor.data(), recipe.height, recipe.width, recipe.channels(), row, 1, plane});
      ASSERT_TRUE(status.ok()) << path << ": " << status;
      EXPECT_EQ(Crc(AsBytes(tensor)), crc) << name << ", " << preset;
    }
  }
}

}  // namespace
}  // namespace resnetd::image
