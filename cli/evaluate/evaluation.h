#ifndef RESNETD_CLI_EVALUATE_EVALUATION_H_
#define RESNETD_CLI_EVALUATE_EVALUATION_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/types/span.h"

// Counts how often a classifier was right.
namespace resnetd::cli {

struct Interval {
  double low = 0, high = 1;
};

// Returns, with 95 % confidence, the interval of the share that `hits` of `of` are a sample of: Wilson's score interval
// (Wilson 1927; Brown, Cai and DasGupta 2001), which holds for few samples and for shares near 0 and 1 too. [0, 1] of
// none.
Interval WilsonInterval(int64_t hits, int64_t of);

struct Tally {
  int64_t images = 0;
  int64_t top1 = 0, top5 = 0;  // of them the true class was the best, or among the best five

  Interval top1_interval() const { return WilsonInterval(top1, images); }
  Interval top5_interval() const { return WilsonInterval(top5, images); }
};

// Counts answers. One thread at a time.
class Evaluation {
 public:
  explicit Evaluation(int classes) : of_class_(static_cast<size_t>(classes)) {}

  // An image of class `truth` was taken for best[0]; `best` has at least one class, the best first.
  void Add(int truth, absl::Span<const int> best);

  const Tally& all() const { return all_; }
  int classes() const { return static_cast<int>(of_class_.size()); }
  const Tally& of_class(int c) const { return of_class_[static_cast<size_t>(c)]; }
  // Images by true class and the class they were taken for; those of no image are left out.
  const std::map<std::pair<int, int>, int64_t>& confusion() const { return confusion_; }
  // Returns the class that images of class c were most often mistaken for, and how often; -1 and 0: never.
  std::pair<int, int64_t> MostConfused(int c) const;

 private:
  Tally all_;
  std::vector<Tally> of_class_;
  std::map<std::pair<int, int>, int64_t> confusion_;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_EVALUATE_EVALUATION_H_
