#include "server/edge/codec.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "resnetd/v1/inference.pb.h"

namespace resnetd::server {
namespace {

// Small blocks, so that fields straddle them as they do gRPC's slices.
bool Within(const std::string& bytes, int limit) {
  google::protobuf::io::ArrayInputStream in(bytes.data(), static_cast<int>(bytes.size()), 3);
  return FieldsWithin(in, {3, 2, 2}, limit);
}

TEST(WireTest, CountsFieldsAlongThePath) {
  v1::ClassifyRequest request;
  EXPECT_TRUE(Within(request.SerializeAsString(), 0));
  request.set_model("m");                                       // 1
  request.add_images()->set_encoded("not looked into");         // 2: the image and its source
  v1::Tensor* tensor = request.add_images()->mutable_tensor();  // 2
  tensor->set_type(v1::Tensor::UINT8);                          // 1
  for (int i : {28, 300, 1}) tensor->add_shape(i);              // 1 and 4 bytes, packed
  tensor->set_data(std::string(784, 'x'));                      // 1
  const std::string bytes = request.SerializeAsString();
  EXPECT_TRUE(Within(bytes, 12));
  EXPECT_FALSE(Within(bytes, 11));
}

TEST(WireTest, SeesWhatWouldGrow) {
  std::string empty_images;
  for (int i = 0; i < 1000; ++i) empty_images += std::string("\x1a\x00", 2);  // images {}
  EXPECT_TRUE(Within(empty_images, 1000));
  EXPECT_FALSE(Within(empty_images, 999));
  std::string unknown_in_image("\x78\x01\x78\x01", 4);  // field 15, twice
  const std::string image = std::string("\x1a\x04", 2) + unknown_in_image;
  EXPECT_TRUE(Within(image, 3));
  EXPECT_FALSE(Within(image, 2));
  v1::ClassifyRequest long_shapes;
  for (int i = 0; i < 10; ++i) long_shapes.add_images()->mutable_tensor()->mutable_shape()->Resize(1000, 1);
  EXPECT_TRUE(Within(long_shapes.SerializeAsString(), 10 * 1003));
  EXPECT_FALSE(Within(long_shapes.SerializeAsString(), 10 * 1003 - 1));
}

TEST(WireTest, RefusesWhatIsNoMessage) {
  for (const std::string& bytes : {std::string("\x1a\x05\x0a", 3),      // longer than the rest
                                   std::string("\x0b\x0c", 2),          // a group
                                   std::string("\x0a", 1),              // no length
                                   std::string("\x1a\x02\x12\x7f", 4),  // a tensor longer than its image
                                   std::string("\x08\xff\xff", 3),      // an unfinished varint
                                   std::string("\x1a\xff\xff\xff\xff\x0f", 6)}) {
    EXPECT_FALSE(Within(bytes, 1000)) << testing::PrintToString(bytes);
  }
}

TEST(WireTest, AcceptsWhateverTheParserWrites) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    v1::PredictRequest request;
    for (unsigned n = random() % 8; n > 0; --n) {
      if (random() % 2 == 0) {
        request.add_images()->set_encoded(std::string(random() % 300, 'e'));
      } else {
        request.add_images()->mutable_tensor()->set_data(std::string(random() % 300, 't'));
      }
    }
    request.mutable_classify()->set_top_k(static_cast<int>(random() % 3));
    EXPECT_TRUE(Within(request.SerializeAsString(), 1000)) << round;
  }
}

}  // namespace
}  // namespace resnetd::server
