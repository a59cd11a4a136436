// There are 256 bytes and a division is dear, hence the tables. They hold what torchvision's ToTensor and Normalize
// compute in float, step by step, not a product with a folded scale that rounds differently. byte * scale in double,
// rounded to float once, is the byte / 255 in float of ToTensor where scale is 1/255.
#include "engine/image/normalise.h"

namespace resnetd::image {

void Normaliser::Prepare(const Recipe& recipe) {
  if (channels_ == recipe.channels() && scale_ == recipe.scale && mean_ == recipe.mean && std_ == recipe.std) return;
  channels_ = recipe.channels();
  scale_ = recipe.scale;
  mean_ = recipe.mean;
  std_ = recipe.std;
  for (int c = 0; c < channels_; ++c) {
    for (int byte = 0; byte < 256; ++byte) {
      tables_[c][byte] = (static_cast<float>(byte * scale_) - mean_[c]) / std_[c];
    }
  }
}

void Normaliser::Row(const uint8_t* row, bool reversed, int y, const TensorView& dst) const {
  for (int c = 0; c < channels_; ++c) {
    const std::array<float, 256>& table = tables_[c];
    const uint8_t* byte = row + (reversed ? channels_ - 1 - c : c);
    float* out = dst.data + y * dst.row + c * dst.channel;
    for (int x = 0; x < dst.width; ++x, byte += channels_, out += dst.pixel) *out = table[*byte];
  }
}

}  // namespace resnetd::image
