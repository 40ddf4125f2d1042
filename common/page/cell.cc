#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "common/page/plot.h"

namespace ltml::page {
namespace {

constexpr double kBarWidth = 60, kBarHeight = 10;
constexpr double kLineWidth = 72, kLineHeight = 22;
constexpr double kDot = 2.5;

Html Picture(const char* css, double width, double height, const Html& drawing) {
  return Element("svg",
                 {{"viewBox", fmt::format("0 0 {:.0f} {:.0f}", width, height)},
                  {"class", css},
                  {"aria-hidden", "true"}},
                 drawing);
}

}  // namespace

Html CellBar(double value, double largest, Ink ink) {
  const double share = largest > 0 ? std::clamp(value / largest, 0.0, 1.0) : 0;
  const double width = value > 0 ? std::max(share * kBarWidth, 1.0) : 0;
  return Picture("cell-bar", kBarWidth, kBarHeight,
                 Rectangle({0, 0, width, kBarHeight}, InkClass("fill", ink)));
}

Html CellLine(const std::vector<double>& values) {
  std::vector<double> drawn;
  std::ranges::copy_if(values, std::back_inserter(drawn),
                       [](double v) { return std::isfinite(v); });
  if (drawn.size() < 2) return Html();
  const double largest = std::max(*std::ranges::max_element(drawn), 1e-9);
  const double pitch = (kLineWidth - 2 * kDot) / static_cast<double>(drawn.size() - 1);
  std::string path;
  double x = kDot, y = 0;
  for (const double value : drawn) {
    y = kLineHeight - kDot - std::max(value, 0.0) / largest * (kLineHeight - 2 * kDot);
    fmt::format_to(std::back_inserter(path), "{}{:.1f} {:.1f}", path.empty() ? 'M' : 'L', x, y);
    x += pitch;
  }
  const Html dot = Element("circle",
                           {{"cx", Number(x - pitch)},
                            {"cy", Number(y)},
                            {"r", Number(kDot)},
                            {"class", InkClass("fill", Ink::kTotal)}},
                           Html());
  return Picture(
      "cell-line", kLineWidth, kLineHeight,
      Element("path", {{"d", path}, {"class", InkClass("line", Ink::kTotal)}}, Html()) + dot);
}

}  // namespace ltml::page
