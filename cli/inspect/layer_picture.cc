//          layer | operator            |█████▒▒▒▒▒▒▒▒  0.42 ms, 38 %
//  conv2_1/conv1 | Conv 1x1 +Relu      |██▒▒  0.11 ms, 52 %
#include "cli/inspect/layer_picture.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/print/svg.h"

namespace resnetd::cli {
namespace {

using Anchor = Svg::Anchor;

constexpr double kRow = 15, kBar = 11, kTop = 101, kLegend = 69, kBottom = 34;
constexpr double kNames = 230, kOperators = 235, kBars = 420, kFigures = 130;
constexpr double kLeft = kNames + kOperators;
constexpr size_t kNameLength = 36, kOperatorLength = 40;
constexpr char kGrey[] = "#666", kGrid[] = "#ddd";

// Dark and light of a kind; colours that the colour-blind can tell apart (Okabe and Ito, 2008).
struct Kind {
  const char* name;
  const char* dark;
  const char* light;
};

constexpr Kind kKinds[] = {
    {"1x1 convolution", "#0072b2", "#8cc3e4"},
    {"larger convolution", "#d55e00", "#f2b98f"},
    {"grouped convolution", "#cc79a7", "#ebc9dc"},
    {"depthwise convolution", "#009e73", "#8ed6c0"},
    {"inner product", "#b09a00", "#f0e442"},
    {"pooling", "#4b9ac7", "#56b4e9"},
    {"all else", "#777777", "#bbbbbb"},
};

const Kind& KindOf(const StepInfo& step) {
  const bool conv = step.op == "Conv";
  if (conv && absl::StrContains(step.attributes, "depthwise")) return kKinds[3];
  if (conv && absl::StrContains(step.attributes, "groups")) return kKinds[2];
  if (conv) return absl::StartsWith(step.attributes, "1x1") ? kKinds[0] : kKinds[1];
  if (step.op == "Gemm") return kKinds[4];
  if (absl::EndsWith(step.op, "Pool") || absl::StartsWith(step.op, "Reduce")) return kKinds[5];
  return kKinds[6];
}

// 1, 2 or 5 times a power of ten, so that there are four to ten of them up to `longest`.
double TickStep(double longest) {
  const double power = std::pow(10, std::floor(std::log10(longest)));
  for (const double step : {power / 5, power / 2, power}) {
    if (longest / step <= 10) return step;
  }
  return power * 2;
}

// The number at a tick, with as many decimals as it needs: 0.00002, never 2e-05.
std::string Milliseconds(double seconds, double step) {
  const int decimals = static_cast<int>(std::max(0.0, -std::floor(std::log10(step * 1e3) + 1e-9)));
  const std::string text = absl::StrFormat("%.*f", decimals, seconds * 1e3);
  if (decimals == 0) return text;
  const size_t last = text.find_last_not_of('0');
  return text.substr(0, text[last] == '.' ? last : last + 1);
}

// The end of a name says which layer it is.
std::string LastPart(const std::string& text, size_t length) {
  return text.size() <= length ? text : absl::StrCat("..", text.substr(text.size() - length + 2));
}
std::string FirstPart(const std::string& text, size_t length) {
  return text.size() <= length ? text : absl::StrCat(text.substr(0, length - 2), "..");
}

void DrawHead(absl::string_view title, absl::string_view machine, const LayerTimes& times, Svg& svg) {
  const double ms = std::chrono::duration<double, std::milli>(times.run).count();
  svg.Text(10, 22, title, Anchor::kStart, 15);
  svg.Text(10, 41,
           absl::StrFormat("batch %d, %d thread%s: %.2f ms, %.0f GFLOP/s, %.0f %% of the %.0f that the machine can do",
                           times.batch, times.threads, times.threads == 1 ? "" : "s", ms, times.gflops(),
                           100 * times.gflops() / times.peak_gflops, times.peak_gflops),
           Anchor::kStart, 12);
  const std::string busy = BusyText(times.disturbance);
  svg.Text(10, 58, absl::StrCat(machine, busy.empty() ? "" : "; ", busy), Anchor::kStart, 11, kGrey);
  double x = 10;
  for (const Kind& kind : kKinds) {
    const auto of_kind = [&](const LayerTime& layer) { return &KindOf(layer.step) == &kind; };
    if (std::none_of(times.layers.begin(), times.layers.end(), of_kind)) continue;
    svg.Rectangle(x, kLegend, 6, kBar, kind.dark);
    svg.Rectangle(x + 6, kLegend, 6, kBar, kind.light);
    svg.Text(x + 17, kLegend + 9, kind.name, Anchor::kStart);
    x += 150;
  }
  svg.Text(kLeft + kBars + kFigures - 10, kLegend + 9, "dark: at the peak", Anchor::kEnd, 11, kGrey);
}

}  // namespace

std::string OperatorInWords(const StepInfo& step) {
  return absl::StrCat(step.op, step.attributes.empty() ? "" : " ", step.attributes, step.post_ops.empty() ? "" : " ",
                      step.post_ops);
}

std::string DrawLayers(absl::string_view title, absl::string_view machine, const LayerTimes& times) {
  const double bottom = kTop + kRow * static_cast<double>(times.layers.size());
  Svg svg(kLeft + kBars + kFigures, bottom + kBottom);
  DrawHead(title, machine, times, svg);

  double longest = 1e-9;
  for (const LayerTime& layer : times.layers) longest = std::max(longest, layer.seconds());
  const double pixels = kBars / longest, tick = TickStep(longest);  // pixels a second
  for (int i = 0; i * tick <= longest * 1.0001; ++i) {
    const double x = kLeft + i * tick * pixels;
    svg.Line(x, kTop - 4, x, bottom + 4, kGrid);
    svg.Text(x, bottom + 18, absl::StrCat(Milliseconds(i * tick, tick), i == 0 ? " ms" : ""), Anchor::kMiddle, 11,
             kGrey);
  }

  double y = kTop;
  for (const LayerTime& layer : times.layers) {
    const Kind& kind = KindOf(layer.step);
    const double share = layer.gflops() / times.peak_gflops;
    const double text = y + kBar - 2;
    svg.Text(kNames - 8, text, LastPart(layer.step.node, kNameLength), Anchor::kEnd, 10);
    svg.Text(kNames, text, FirstPart(OperatorInWords(layer.step), kOperatorLength), Anchor::kStart, 10, kGrey);
    svg.Rectangle(kLeft, y, layer.seconds() * pixels, kBar, kind.light);
    svg.Rectangle(kLeft, y, layer.seconds() * pixels * std::min(share, 1.0), kBar, kind.dark);
    svg.Text(kLeft + layer.seconds() * pixels + 6, text,
             absl::StrCat(absl::StrFormat("%.3f ms", layer.seconds() * 1e3),
                          layer.step.multiply_adds > 0 ? absl::StrFormat(", %.0f %%", 100 * share) : ""),
             Anchor::kStart, 10);
    y += kRow;
  }
  return svg.Finish();
}

}  // namespace resnetd::cli
