// With d = sum / n: mean = shift + d, covariance = (products - n d d^T) / (n - 1). Its eigenvectors of the largest
// eigenvalues are the components (Pearson 1901; Jolliffe, "Principal Component Analysis", 2002).
#include "cli/project/pca.h"

#include <Eigen/Eigenvalues>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace resnetd::cli {
namespace {

// A share of the largest variance. A smaller one is rounding of the vectors' floats, and its direction means nothing.
constexpr double kLeastVariance = 1e-10;

}  // namespace

Pca::Pca(size_t size) {
  const auto n = static_cast<Eigen::Index>(size);
  sum_ = Eigen::VectorXd::Zero(n);
  products_ = Eigen::MatrixXd::Zero(n, n);
}

void Pca::Add(absl::Span<const float> vector) {
  const Eigen::VectorXd x =
      Eigen::Map<const Eigen::VectorXf>(vector.data(), static_cast<Eigen::Index>(vector.size())).cast<double>();
  if (count_++ == 0) shift_ = x;
  const Eigen::VectorXd shifted = x - shift_;
  sum_ += shifted;
  products_.selfadjointView<Eigen::Lower>().rankUpdate(shifted);
}

absl::StatusOr<Projection> Pca::Project(size_t components) const {
  if (components >= count_) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected more than ", components, " images for ", components, " components, got ", count_));
  }
  if (components < 1 || components > static_cast<size_t>(sum_.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected 1 to ", sum_.size(), " components of vectors of ", sum_.size(), ", got ", components));
  }
  const auto n = static_cast<double>(count_);
  const Eigen::VectorXd difference = sum_ / n;
  Eigen::MatrixXd covariance = products_;
  covariance.selfadjointView<Eigen::Lower>().rankUpdate(difference, -n);
  covariance /= n - 1;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance);  // reads the lower triangle
  if (solver.info() != Eigen::Success)
    return absl::InternalError("the eigenvectors of the covariance did not converge");

  const Eigen::VectorXd variances = solver.eigenvalues().reverse();
  const auto directions = (variances.array() > kLeastVariance * variances[0]).count();
  const auto kept = static_cast<Eigen::Index>(components);
  if (kept > directions) {
    return absl::InvalidArgumentError(absl::StrCat("expected at most ", directions,
                                                   " components, the directions in which ", count_,
                                                   " embeddings vary, got ", components));
  }
  Projection projection;
  projection.mean = shift_ + difference;
  projection.components = solver.eigenvectors().rightCols(kept).rowwise().reverse().transpose();
  for (auto row : projection.components.rowwise()) {
    Eigen::Index largest = 0;
    row.cwiseAbs().maxCoeff(&largest);
    if (row[largest] < 0) row = -row;
  }
  projection.explained = variances.head(kept).sum() / variances.sum();
  return projection;
}

}  // namespace resnetd::cli
