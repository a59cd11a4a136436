// SVG 1.1: https://www.w3.org/TR/SVG11/
#include "cli/print/svg.h"

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/enum_table.h"
#include "cli/print/table.h"
#include "nlohmann/json.hpp"

namespace resnetd::cli {
namespace {

// Names in a model may be any bytes; the JSON library knows which of them are UTF-8.
std::string Escape(absl::string_view text) {
  using nlohmann::json;
  const std::string valid =
      json::parse(json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace)).get<std::string>();
  return absl::StrReplaceAll(Printable(valid), {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

}  // namespace

Svg::Svg(double width, double height) {
  file_ = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %g %g\" "
      "font-family=\"DejaVu Sans, Verdana, sans-serif\">\n",
      width, height, width, height);
  Rectangle(0, 0, width, height, "white");
}

void Svg::Rectangle(double x, double y, double width, double height, absl::string_view fill) {
  absl::StrAppendFormat(&file_, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n", x, y,
                        width, height, fill);
}

void Svg::Line(double x1, double y1, double x2, double y2, absl::string_view stroke) {
  absl::StrAppendFormat(&file_, "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" stroke=\"%s\"/>\n", x1, y1, x2,
                        y2, stroke);
}

void Svg::Text(double x, double y, absl::string_view text, Anchor anchor, double size, absl::string_view fill) {
  static constexpr EnumTable<Anchor, const char*> kAnchors = {"start", "middle", "end"};
  absl::StrAppendFormat(&file_,
                        "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%g\" text-anchor=\"%s\" fill=\"%s\">%s</text>\n", x, y,
                        size, kAnchors[anchor], fill, Escape(text));
}

std::string Svg::Finish() {
  return file_ + "</svg>\n";
}

}  // namespace resnetd::cli
