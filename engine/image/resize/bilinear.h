#ifndef RESNETD_ENGINE_IMAGE_RESIZE_BILINEAR_H_
#define RESNETD_ENGINE_IMAGE_RESIZE_BILINEAR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "engine/image/resize/axis.h"

// Bilinear interpolation without antialiasing, of two libraries: however much smaller the image becomes, an output
// pixel is made of the two by two source pixels around its centre.
namespace resnetd::image {

// The two source pixels of an axis that an output pixel lies between, and how far it is from each.
struct Neighbours {
  int first = 0, second = 0;  // the same, or the second is the next
  float fraction = 0;         // the second's weight, 0 to 1
  int16_t near = 0, far = 0;  // both weights of OpenCV, 0 to 2048
};

// Resizes and crops row by row: takes the source's rows from top to bottom and gives each row of the result as soon as
// its last source row is in. Holds two rows, `Kept` being what a source row becomes horizontally, and its buffers
// between images. One thread at a time.
template <typename Kept, typename Out>
class BilinearResampler {
 public:
  using RowSink = absl::FunctionRef<void(int y, const Out* row)>;

  // Prepares for an image of `channels` (1 or 3) interleaved bytes a pixel, not shrunk by its decoder.
  void Start(const Placement& placement, int channels);

  // Takes the next source row, and hands the rows that are complete with it to `out`, valid during the call. After the
  // last source row all rows are out.
  void Push(const uint8_t* row, RowSink out);

 private:
  Kept* Ring(int source_y) { return ring_.data() + source_y % 2 * (row_values_ + kSlackValues); }
  void Resize(const uint8_t* row, Kept* out) const;

  static constexpr size_t kSlackValues = 4;  // written behind a row of the ring

  Axis x_axis_, y_axis_;
  std::vector<Neighbours> x_, y_;
  int channels_ = 0;
  size_t vector_outputs_ = 0;    // how many pixels are made by vectors, from the first on
  size_t row_values_ = 0;        // of the result
  int source_y_ = 0, next_ = 0;  // the next row to come in and to go out
  std::vector<Kept> ring_;
  std::vector<Out> line_;
};

// cv2.resize() with INTER_LINEAR, of bytes, bit for bit.
using Cv2Resampler = BilinearResampler<int16_t, uint8_t>;
// tf.image.resize() with "bilinear" and without antialiasing, bit for bit: levels of 0 to 255 that are not rounded.
using Tf2Resampler = BilinearResampler<float, float>;

extern template class BilinearResampler<int16_t, uint8_t>;
extern template class BilinearResampler<float, float>;

}  // namespace resnetd::image

#endif  // RESNETD_ENGINE_IMAGE_RESIZE_BILINEAR_H_
