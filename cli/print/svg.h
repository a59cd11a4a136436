#ifndef RESNETD_CLI_PRINT_SVG_H_
#define RESNETD_CLI_PRINT_SVG_H_

#include <string>

#include "absl/strings/string_view.h"

namespace resnetd::cli {

// A picture in the making, a line a shape; later shapes lie on top of earlier ones. Lengths are in pixels, y downwards,
// colours as in CSS. Any text may be given: what XML cannot hold is replaced.
class Svg {
 public:
  enum class Anchor { kStart, kMiddle, kEnd };

  Svg(double width, double height);
  void Rectangle(double x, double y, double width, double height, absl::string_view fill);
  void Line(double x1, double y1, double x2, double y2, absl::string_view stroke);
  // `y` is the baseline.
  void Text(double x, double y, absl::string_view text, Anchor anchor, double size = 11,
            absl::string_view fill = "#222");
  // The whole file. Nothing may follow.
  std::string Finish();

 private:
  std::string file_;
};

}  // namespace resnetd::cli

#endif  // RESNETD_CLI_PRINT_SVG_H_
