#ifndef RESNETD_CLI_PROJECT_PCA_H_
#define RESNETD_CLI_PROJECT_PCA_H_

#include <Eigen/Core>
#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace resnetd::cli {

// y = components * (x - mean).
struct Projection {
  Eigen::VectorXd mean;
  // One a row, orthonormal, of falling variance; the largest |value| of each is positive, so that equal images give
  // equal projections.
  Eigen::MatrixXd components;
  double explained = 0;  // the fraction of all variance that lies along them
};

// Principal components of vectors that come one by one, in double. One thread.
class Pca {
 public:
  // `size`: of the vectors.
  explicit Pca(size_t size);
  void Add(absl::Span<const float> vector);
  size_t count() const { return count_; }
  // INVALID_ARGUMENT if the vectors do not vary along so many directions. Takes some size^3 steps.
  absl::StatusOr<Projection> Project(size_t components) const;

 private:
  // Sums of x - shift_ and of its products with itself: the shift, the first vector, keeps a large mean from swallowing
  // the variance.
  Eigen::VectorXd shift_, sum_;
  Eigen::MatrixXd products_;  // the lower triangle
  size_t count_ = 0;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_PROJECT_PCA_H_
