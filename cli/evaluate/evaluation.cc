// Wilson: of n samples a share p, and z standard deviations of the normal distribution,
//
//   (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
#include "cli/evaluate/evaluation.h"

#include <algorithm>
#include <cmath>

namespace resnetd::cli {

Interval WilsonInterval(int64_t hits, int64_t of) {
  if (of == 0) return {};
  constexpr double kZ = 1.959963984540054;  // 95 % of a normal distribution lie within
  const double n = static_cast<double>(of), p = static_cast<double>(hits) / n;
  const double centre = p + kZ * kZ / (2 * n);
  const double reach = kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  const double whole = 1 + kZ * kZ / n;
  // At the ends rounding may cross what is exact.
  return {hits == 0 ? 0 : (centre - reach) / whole, hits == of ? 1 : (centre + reach) / whole};
}

void Evaluation::Add(int truth, absl::Span<const int> best) {
  const absl::Span<const int> five = best.first(std::min<size_t>(best.size(), 5));
  for (Tally* tally : {&all_, &of_class_[static_cast<size_t>(truth)]}) {
    ++tally->images;
    tally->top1 += best[0] == truth ? 1 : 0;
    tally->top5 += std::find(five.begin(), five.end(), truth) != five.end() ? 1 : 0;
  }
  ++confusion_[{truth, best[0]}];
}

std::pair<int, int64_t> Evaluation::MostConfused(int c) const {
  std::pair<int, int64_t> most = {-1, 0};
  for (auto it = confusion_.lower_bound({c, 0}); it != confusion_.end() && it->first.first == c; ++it) {
    if (it->first.second != c && it->second > most.second) most = {it->first.second, it->second};
  }
  return most;
}

}  // namespace resnetd::cli
