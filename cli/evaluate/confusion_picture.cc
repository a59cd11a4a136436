//              0    1    2    taken for
//   0 T-shirt  857  2    14
//   1 Trouser  1    988  .
#include "cli/evaluate/confusion_picture.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/print/svg.h"

namespace resnetd::cli {
namespace {

using Anchor = Svg::Anchor;

constexpr int kMostNamed = 40, kMostCounted = 25;
constexpr double kCell = 26, kMatrix = 900;  // a cell of a few classes, and the matrix of many, in pixels
constexpr double kNames = 190, kTop = 96, kMargin = 20;
constexpr size_t kNameLength = 26;
constexpr char kGrey[] = "#666", kGrid[] = "#ddd";

struct Colour {
  int red, green, blue;
};

// The colours of right and wrong answers, which the colour-blind can tell apart (Okabe and Ito, 2008).
constexpr Colour kRight = {0x00, 0x72, 0xb2}, kWrong = {0xd5, 0x5e, 0x00};

// The root makes a share of one in a hundred visible.
double Darkness(double share) {
  return std::sqrt(share);
}

std::string Shade(const Colour& colour, double darkness) {
  const auto mix = [darkness](int full) { return static_cast<int>(std::lround(255 + (full - 255) * darkness)); };
  return absl::StrFormat("#%02x%02x%02x", mix(colour.red), mix(colour.green), mix(colour.blue));
}

// Its first characters; UTF-8 is not cut in the middle of one.
std::string Short(const std::string& name) {
  size_t length = std::min(name.size(), kNameLength);
  if (length == name.size()) return name;
  while (length > 0 && (static_cast<unsigned char>(name[length]) & 0xC0) == 0x80) --length;
  return absl::StrCat(name.substr(0, length), "..");
}

std::string RightText(const Tally& of) {
  const Interval interval = of.top1_interval();
  return absl::StrFormat("%.2f %% of %d images right (95 %%: %.2f to %.2f %%)",
                         100.0 * static_cast<double>(of.top1) / static_cast<double>(of.images), of.images,
                         100 * interval.low, 100 * interval.high);
}

}  // namespace

std::string DrawConfusion(absl::string_view title, const Evaluation& evaluation, const ClassNames& classes) {
  const int count = evaluation.classes();
  const bool named = count <= kMostNamed;
  const double cell = named ? kCell : kMatrix / count, matrix = cell * count;
  const double left = named ? kNames : kMargin;
  Svg svg(left + std::max(matrix, 300.0) + kMargin, kTop + matrix + kMargin);
  svg.Text(10, 22, title, Anchor::kStart, 15);
  const Tally& all = evaluation.all();
  svg.Text(10, 41, all.images == 0 ? "no images" : RightText(all), Anchor::kStart, 12);
  svg.Text(left, 66, "rows: true class; columns: what it was taken for", Anchor::kStart, 11, kGrey);

  for (int i = 0; named && i < count; ++i) {
    const double at = cell * i + cell / 2;
    svg.Text(left - 8, kTop + at + 4, absl::StrCat(i, "  ", Short(classes.Of(i))), Anchor::kEnd, 10);
    svg.Text(left + at, kTop - 8, absl::StrCat(i), Anchor::kMiddle, 10, kGrey);
    svg.Line(left, kTop + cell * i, left + matrix, kTop + cell * i, kGrid);
    svg.Line(left + cell * i, kTop, left + cell * i, kTop + matrix, kGrid);
  }
  for (const auto& [classes_of, images] : evaluation.confusion()) {
    const auto [truth, taken_for] = classes_of;
    const double darkness =
        Darkness(static_cast<double>(images) / static_cast<double>(evaluation.of_class(truth).images));
    const double x = left + cell * taken_for, y = kTop + cell * truth;
    svg.Rectangle(x, y, cell, cell, Shade(truth == taken_for ? kRight : kWrong, darkness));
    if (count > kMostCounted) continue;
    svg.Text(x + cell / 2, y + cell / 2 + 3, absl::StrCat(images), Anchor::kMiddle, 9,
             darkness > 0.6 ? "white" : "#222");
  }
  for (const double end : {0.0, matrix}) {
    svg.Line(left, kTop + end, left + matrix, kTop + end, kGrey);
    svg.Line(left + end, kTop, left + end, kTop + matrix, kGrey);
  }
  return svg.Finish();
}

}  // namespace resnetd::cli
