#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "common/page/plot.h"

namespace ltml::page {
namespace {

constexpr double kWidth = 1160;
constexpr double kBarHeight = 20, kPitch = 28;
constexpr double kLeft = 80, kBarWidth = 880;
constexpr double kTop = 6, kBottom = 40;

double Total(const Bar& bar) { return std::accumulate(bar.values.begin(), bar.values.end(), 0.0); }

Html DrawBar(const BarChart& chart, const Bar& bar, const Axis& axis, double y) {
  Html drawing = TextAt(kLeft - 10, y + 15, "end", "", bar.name);
  double x = kLeft;
  for (size_t part = 0; part < std::min(bar.values.size(), chart.parts.size()); ++part) {
    const double width = Place(axis, bar.values[part], 0, kBarWidth);
    const auto& [name, ink] = chart.parts[part];
    drawing += Rectangle(
        {x, y, width, kBarHeight}, InkClass("fill", ink),
        Element("title", {},
                fmt::format("{}, {}: {:.3g} {}", bar.name, name, bar.values[part], chart.unit)));
    x += width;
  }
  return drawing + TextAt(x + 8, y + 15, "start", "", bar.note);
}

}  // namespace

Html Draw(const BarChart& chart) {
  double largest = 0;
  for (const Bar& bar : chart.bars) largest = std::max(largest, Total(bar));
  if (!(largest > 0)) {
    return Element("p", {{"id", chart.text.id}, {"class", "nothing"}},
                   fmt::format("{}: nothing yet.", chart.text.title));
  }
  const Axis axis = AxisAround(0, largest, 7);
  const double height = kPitch * static_cast<double>(chart.bars.size());
  const Area area{kLeft, kTop, kBarWidth, height};
  Html drawing;
  for (const double tick : axis.ticks) {
    const double x = Place(axis, tick, area.x, area.right());
    drawing += LineFrom(x, area.y, x, area.bottom(), "grid");
  }
  drawing += BottomAxis(axis, area, chart.unit);
  double y = kTop + (kPitch - kBarHeight) / 2;
  for (const Bar& bar : chart.bars) {
    drawing += DrawBar(chart, bar, axis, y);
    y += kPitch;
  }
  return Figure(chart.text, InkLegend(chart.parts), kWidth, kTop + height + kBottom, drawing);
}

}  // namespace ltml::page
